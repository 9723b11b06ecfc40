//! Several processes that share their sessions.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{
    store::{LIFE, Store},
    *,
};

const GOOGLE: &str = "aspmx.l.google.com";

/// How many sessions are open with a host, and how many ever were at once.
#[derive(Clone, Default)]
struct Count(Arc<(AtomicUsize, AtomicUsize)>);

impl Count {
    fn open(&self) -> usize {
        self.0.0.load(Relaxed)
    }

    fn peak(&self) -> usize {
        self.0.1.load(Relaxed)
    }
}

/// A host that knows every `user…` and takes half a second for each recipient.
fn slow() -> (Host, Count) {
    let count = Count::default();
    let (arrives, leaves) = (count.clone(), count.clone());
    let host = Host::default()
        .on("EHLO", move |_| {
            let open = arrives.0.0.fetch_add(1, Relaxed) + 1;
            arrives.0.1.fetch_max(open, Relaxed);
            Say::line("250 mx")
        })
        .on("QUIT", move |_| {
            leaves.0.0.fetch_sub(1, Relaxed);
            Say::closing("221 bye")
        })
        .on("RCPT", |line| {
            let said = if line.contains("<user") { "250 ok" } else { "550 5.1.1 unknown" };
            Say::after(Duration::from_millis(500), said)
        });
    (host, count)
}

/// Processes that share a store, each with its own way to one host.
fn processes<const N: usize>(
    store: &Arc<Store>,
    config: &Config,
    name: &str,
    host: &Host,
) -> [SmtpProber; N] {
    std::array::from_fn(|process| {
        let net = Arc::new(Net::default().host(name, "9.9.9.9", host));
        let commons = Commons { ration: Some(store.client(process)) };
        let dialer = net.clone();
        SmtpProber::assemble(config.clone(), net, commons, move |_| dialer.clone()).unwrap()
    })
}

/// Processes that share `max` sessions with an operator.
fn of_google<const N: usize>(store: &Arc<Store>, max: usize, host: &Host) -> [SmtpProber; N] {
    processes(store, &Config { sessions_per_operator_max: max, ..config() }, GOOGLE, host)
}

fn users(process: usize, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("user{n}@p{process}.test")).collect()
}

/// Asks about so many; the answers, and how long they took.
async fn asked(prober: &SmtpProber, process: usize, count: usize) -> (Vec<Answer>, Duration) {
    let (all, began) = (users(process, count), Instant::now());
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let patient = Ask { deadline: began + Duration::from_hours(1), ..ask(mx(&[GOOGLE]), &all) };
    (answers(prober, patient).await, began.elapsed())
}

fn all_accepted(found: &[Answer]) -> bool {
    found.iter().all(|found| class(found) == ReplyClass::Accepted)
}

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn together_they_never_have_more_sessions_than_there_may_be() {
    let store = Arc::new(Store::default());
    let (host, count) = slow();
    let [a, b, c] = of_google(&store, 4, &host);
    let (one, two, three) = tokio::join!(asked(&a, 0, 400), asked(&b, 1, 400), async {
        seconds(20).await;
        asked(&c, 2, 100).await
    });
    assert!(all_accepted(&one.0) && all_accepted(&two.0) && all_accepted(&three.0));
    assert_eq!(count.peak(), 4, "all of them are used, and no more");
    let (longest, shortest) = (one.1.max(two.1), one.1.min(two.1));
    assert!(longest < shortest * 2, "{longest:?} {shortest:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_used_is_given_back() {
    let store = Arc::new(Store::default());
    let (host, count) = slow();
    let [a] = of_google(&store, 4, &host);
    assert!(all_accepted(&asked(&a, 0, 40).await.0));
    assert!(store.leased() > 0);
    tokio::time::sleep(config().keep_warm + Duration::from_millis(5_100)).await;
    assert_eq!((count.open(), store.leased()), (0, 0));
    assert!(store.is_empty());
    let calls = store.calls();
    seconds(600).await;
    assert_eq!(store.calls(), calls, "and nothing is asked for");
}

#[tokio::test(start_paused = true)]
async fn what_is_used_is_renewed_and_closing_gives_it_back() {
    let store = Arc::new(Store::default());
    let (host, _) = slow();
    let [a] = of_google(&store, 1, &host);
    let began = Instant::now();
    tokio::select! {
        _ = asked(&a, 0, 1_000) => panic!("so soon"),
        () = seconds(200) => {}
    }
    assert_eq!((store.leased(), began.elapsed().as_secs()), (1, 200));
    assert!(store.calls() < 30, "{}", store.calls());
    seconds(1).await;
    a.close().await;
    assert!(store.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_comes_late_is_served_though_the_first_has_all_and_is_busy() {
    for max in [1, 2, 4] {
        let store = Arc::new(Store::default());
        let (host, count) = slow();
        let [a, b, c] = of_google(&store, max, &host);
        let busy = async {
            loop {
                asked(&a, 0, 300).await;
            }
        };
        let late = async {
            seconds(60).await;
            assert_eq!(count.open(), max);
            tokio::join!(asked(&b, 1, 3), asked(&c, 2, 3))
        };
        let (b, c) = tokio::select! {
            () = busy => unreachable!("it never ends"),
            found = late => found,
        };
        assert!(all_accepted(&b.0) && all_accepted(&c.0));
        // A renewal, until they are heard of; a session of a hundred recipients, until a place is free; for the last
        // one, that twice.
        let bound = if max < 3 { 150 } else { 75 };
        assert!(b.1.max(c.1) < Duration::from_secs(bound), "of {max}: {:?} {:?}", b.1, c.1);
        assert!(count.peak() <= max);
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_store_no_session_begins_when_the_lease_is_over() {
    let store = Arc::new(Store::default());
    let (host, count) = slow();
    let [a] = of_google(&store, 1, &host);
    let before = tokio::spawn({
        let a = a.clone();
        async move { asked(&a, 0, 90).await }
    });
    seconds(5).await;
    store.is_away.store(true, Relaxed);
    let asked_at_last = Instant::now();
    assert!(all_accepted(&before.await.unwrap().0), "the open session ends by itself");
    assert!(asked_at_last.elapsed() > LIFE);
    let late = answers(&a, ask(mx(&[GOOGLE]), &["user@late.test"])).await;
    assert_eq!((late, host.connections()), (vec![Answer::Failed(ProbeFailure::NotItsTurn)], 1));
    store.is_away.store(false, Relaxed);
    assert!(all_accepted(&asked(&a, 1, 3).await.0));
    assert_eq!((count.peak(), host.connections()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_gets_lost_costs_time_alone() {
    let store = Arc::new(Store::default());
    let (host, count) = slow();
    let [a, b] = of_google(&store, 2, &host);
    store.is_mute.store(true, Relaxed);
    let both = async { tokio::join!(asked(&a, 0, 30), asked(&b, 1, 30)) };
    let heals = async {
        seconds(10).await;
        assert_eq!((count.open(), store.leased()), (0, 2), "nobody counts on what he did not hear");
        store.is_mute.store(false, Relaxed);
    };
    let ((one, two), ()) = tokio::join!(both, heals);
    assert!(all_accepted(&one.0) && all_accepted(&two.0) && count.peak() <= 2);
    seconds(10).await;
    assert!(store.is_empty());
}

#[tokio::test(start_paused = true)]
async fn work_begins_where_there_is_a_session() {
    let store = Arc::new(Store::default());
    let (host, _) = slow();
    let [a, b] = of_google(&store, 1, &host);
    assert_eq!(a.may_begin("google").await, Ok(()));
    assert_eq!(store.leased(), 1, "and it is kept for it");
    let (prober, began) = (a.clone(), Instant::now());
    let busy = tokio::spawn(async move {
        loop {
            asked(&prober, 0, 300).await;
        }
    });
    seconds(1).await;
    assert_eq!(b.may_begin("yahoo").await, Ok(()), "another operator is another matter");
    while let Err(wait) = b.may_begin("google").await {
        assert!((Duration::from_secs(1)..Duration::from_secs(10)).contains(&wait));
        assert!(began.elapsed() < Duration::from_secs(90), "others make room for work that was put off");
        tokio::time::sleep(wait).await;
    }
    assert!(began.elapsed() > Duration::from_secs(5));
    busy.abort();
    assert_eq!(a.may_begin("nobody known").await, Ok(()));
    assert_eq!(one(&host).may_begin("google").await, Ok(()), "where nothing is shared");
    store.is_away.store(true, Relaxed);
    assert!(b.may_begin("icloud").await.is_err(), "a store that is away has none to give");
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_is_not_followed_up_ends() {
    let store = Arc::new(Store::default());
    let (host, _) = slow();
    let [a] = of_google(&store, 3, &host);
    assert_eq!(a.may_begin("google").await, Ok(()));
    seconds(16).await;
    assert!(store.is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_session_too_many_is_put_down_to_those_of_others() {
    let store = Arc::new(Store::default());
    let (open, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (arrives, leaves, refusals) = (open.clone(), open, refused.clone());
    let host = slow()
        .0
        .on("EHLO", move |_| {
            if arrives.fetch_add(1, Relaxed) == 0 {
                return Say::line("250 mx");
            }
            arrives.fetch_sub(1, Relaxed);
            refusals.fetch_add(1, Relaxed);
            Say::closing("421 4.7.0 too many connections")
        })
        .on("QUIT", move |_| {
            leaves.fetch_sub(1, Relaxed);
            Say::closing("221 bye")
        });
    let [a, b] = processes(&store, &config(), "mx", &host);
    let patient = |process| {
        let all = users(process, 60);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        Ask { deadline: Instant::now() + Duration::from_hours(1), ..ask(mx(&["mx"]), &all) }
    };
    let (one, two) = tokio::join!(answers(&a, patient(0)), async {
        seconds(5).await;
        answers(&b, patient(1)).await
    });
    assert!(all_accepted(&one) && all_accepted(&two));
    assert!((1..4).contains(&refused.load(Relaxed)), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn they_share_the_pace_too() {
    let store = Arc::new(Store::default());
    let host = Host::default()
        .pipelining()
        .on("RCPT", |line| Say::line(if line.contains("<user") { "250 ok" } else { "550 5.1.1 unknown" }));
    let config = Config { recipients_per_minute: 60, ..config() };
    let [a, b] = processes(&store, &config, GOOGLE, &host);
    let began = Instant::now();
    let (one, two) = tokio::join!(asked(&a, 0, 150), asked(&b, 1, 150));
    assert!(all_accepted(&one.0) && all_accepted(&two.0));
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    assert!((3.9..8.0).contains(&minutes), "{minutes} minutes for 300 at 60 a minute");
}
