//! Lanes with a clock that stands still until all wait: first one rule at a time, then messages by the thousand, which do
//! what tasks of the queue do.

use std::collections::BTreeMap;

use tokio::{
    task::{JoinSet, yield_now},
    time::{advance, sleep},
};

use super::{super::schedule::wait_after, line::PACE_MAX, *};

const ACME: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

fn enter(lanes: &Arc<Lanes>, host: &[u8]) -> Place {
    lanes.enter(ACME, host).unwrap_or_else(|why| panic!("{why:?}"))
}

/// As many places as a client can have, at a host each.
fn places(lanes: &Arc<Lanes>, client: Uuid) -> Vec<Place> {
    (0..50u8).filter_map(|host| lanes.enter(client, &[client.as_bytes()[15], host]).ok()).collect()
}

fn taken(lanes: &Arc<Lanes>, client: Uuid, host: &[u8]) -> Duration {
    match lanes.enter(client, host) {
        Err(NoPlace::Taken(wait)) => wait,
        Err(NoPlace::Rests(_)) => panic!("it rests"),
        Ok(_) => panic!("there is a place"),
    }
}

fn rest(lanes: &Arc<Lanes>, host: &[u8]) -> Duration {
    match lanes.enter(ACME, host) {
        Err(NoPlace::Rests(wait)) => wait,
        _ => panic!("it does not rest"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_has_so_many_and_who_waits_comes_back_at_the_pace_of_its_answers() {
    for (took, pace) in [(200, 100), (1, 10), (60_000, 500)] {
        let lanes = Lanes::new(2, 16);
        let (first, _second) = (enter(&lanes, b"a"), enter(&lanes, b"a"));
        advance(MILLISECOND * took).await;
        first.answered();
        let _third = enter(&lanes, b"a");
        let waits = [(); 3].map(|()| taken(&lanes, ACME, b"a").as_millis());
        assert_eq!(waits, [pace, pace * 2, pace * 3]);
        assert!(lanes.enter(ACME, b"b").is_ok(), "others have theirs");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_gets_one_at_a_time_and_then_rests() {
    let lanes = Lanes::new(4, 100);
    let silent = || enter(&lanes, b"a").silent();
    silent();
    let place = enter(&lanes, b"a");
    taken(&lanes, ACME, b"a");
    drop(place);
    silent();
    silent();
    let waits = [rest(&lanes, b"a"), rest(&lanes, b"a")];
    assert!(REST_MIN < waits[0] && waits[0] < waits[1] && waits[1] <= REST_MIN + PACE_MAX * 2, "{waits:?}");
    advance(REST_MIN + MILLISECOND).await;
    silent();
    assert!(rest(&lanes, b"a") >= REST_MIN * 2);
    for _ in 0..20 {
        advance(REST_MAX + MILLISECOND).await;
        silent();
    }
    assert!(rest(&lanes, b"a") <= REST_MAX + PACE_MAX);
    advance(REST_MAX + MILLISECOND).await;
    enter(&lanes, b"a").answered();
    let places: Vec<_> = (0..5).filter_map(|_| lanes.enter(ACME, b"a").ok()).collect();
    assert_eq!(places.len(), 4);
    assert!(taken(&lanes, ACME, b"a") < SECOND, "nobody waits for those who waited for its silence");
}

#[tokio::test(start_paused = true)]
async fn tries_that_were_under_way_together_are_silent_once() {
    let lanes = Lanes::new(20, 100);
    let together: Vec<_> = (0..20).map(|_| enter(&lanes, b"a")).collect();
    together.into_iter().for_each(Place::silent);
    assert!(rest(&lanes, b"a") <= REST_MIN + PACE_MAX);
}

#[tokio::test(start_paused = true)]
async fn who_has_as_many_as_are_free_gets_no_more() {
    let lanes = Lanes::new(4, 16);
    // Twelve: the others are for hosts that do not answer.
    let client = Uuid::from_u128;
    let all: Vec<_> = (1..=5).map(|number| places(&lanes, client(number))).collect();
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [6, 3, 2, 1, 0]);
    let own = taken(&lanes, ACME, b"new");
    let others: Vec<_> = (10..1_000).map(|number| taken(&lanes, client(number), b"new")).collect();
    assert!(others.is_sorted_by(|one, next| one < next), "those who have none come one after the other");
    assert!(taken(&lanes, ACME, b"new") <= own + PACE_MAX, "whoever has some does not wait behind them");
    drop(all);
    assert_eq!(places(&lanes, OTHER).len(), 6);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_silent_leaves_room_for_the_others() {
    let lanes = Lanes::new(4, 16);
    for host in 0..40u8 {
        enter(&lanes, &[host]).silent();
    }
    let to_silent =
        |client| (0..40u8).filter_map(|host| lanes.enter(client, &[host]).ok()).collect::<Vec<_>>();
    let (own, others) = (to_silent(ACME), to_silent(OTHER));
    assert_eq!((own.len(), others.len()), (2, 1));
    let to_others = |client| (100..140u8).filter_map(|host| lanes.enter(client, &[host]).ok()).count();
    assert_eq!(to_others(ACME), 40, "each ends at once");
    assert_eq!(places(&lanes, OTHER).len(), 6);
}

#[tokio::test(start_paused = true)]
async fn however_few_there_are_there_is_one_of_each_kind() {
    let lanes = Lanes::new(0, 0);
    enter(&lanes, b"a").silent();
    let _silent = enter(&lanes, b"a");
    let _other = enter(&lanes, b"b");
    taken(&lanes, OTHER, b"c");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_needs_any_more_is_forgotten() {
    let lanes = Lanes::new(4, 16);
    for host in 0..1_000u32 {
        enter(&lanes, &host.to_be_bytes()).answered();
    }
    assert!(lanes.traffic().lanes.is_empty() && lanes.traffic().answering.is_idle());
    for host in 0..HOSTS_MAX as u64 * 2 {
        enter(&lanes, &host.to_be_bytes()).silent();
    }
    assert!(lanes.traffic().lanes.len() <= HOSTS_MAX);
    assert!(lanes.traffic().answering.is_idle() && lanes.traffic().silent.is_idle());
}

/// A host of a client, and how many messages it gets.
#[derive(Clone, Copy)]
struct Receiver {
    client: Uuid,
    host: u32,
    messages: usize,
    takes: Duration,
    answers: bool,
}

/// What was seen of messages.
#[derive(Debug, Default, Clone)]
struct Seen {
    /// Asked for a place, by the minute.
    asks: BTreeMap<u64, usize>,
    /// Had one, by the minute.
    tries: BTreeMap<u64, usize>,
    ended: usize,
    /// When the last one ended.
    last: Duration,
}

async fn message(lanes: Arc<Lanes>, to: Receiver, seen: Arc<Mutex<Seen>>, begun: Instant) {
    let mut failures = 0;
    loop {
        let minute = begun.elapsed().as_secs() / 60;
        *seen.lock().unwrap().asks.entry(minute).or_default() += 1;
        let wait = match lanes.enter(to.client, &to.host.to_be_bytes()) {
            Ok(place) => {
                *seen.lock().unwrap().tries.entry(minute).or_default() += 1;
                sleep(to.takes).await;
                if to.answers {
                    place.answered();
                    break;
                }
                place.silent();
                failures += 1;
                wait_after(failures, None)
            }
            Err(NoPlace::Taken(wait)) => Some(wait),
            Err(NoPlace::Rests(wait)) => {
                failures += 1;
                wait_after(failures, Some(wait))
            }
        };
        let Some(wait) = wait else { break };
        sleep(wait).await;
    }
    let mut seen = seen.lock().unwrap();
    seen.ended += 1;
    seen.last = begun.elapsed();
}

/// All messages to these come about now. Returns what was seen of those to each when all have ended.
async fn deliver(lanes: &Arc<Lanes>, receivers: &[Receiver]) -> Vec<Seen> {
    let begun = Instant::now();
    let seen: Vec<_> = receivers.iter().map(|_| Arc::new(Mutex::new(Seen::default()))).collect();
    let mut messages = JoinSet::new();
    for (to, seen) in receivers.iter().zip(&seen) {
        for _ in 0..to.messages {
            messages.spawn(message(lanes.clone(), *to, seen.clone(), begun));
        }
        yield_now().await;
    }
    messages.join_all().await;
    seen.iter().map(|seen| seen.lock().unwrap().clone()).collect()
}

const FAST: Receiver =
    Receiver { client: ACME, host: 1, messages: 1_000, takes: Duration::from_millis(100), answers: true };

#[tokio::test(start_paused = true)]
async fn a_burst_to_a_healthy_host_is_delivered_as_fast_as_it_answers() {
    let burst = Receiver { messages: 1_200, ..FAST };
    let seen = deliver(&Lanes::new(4, 16), &[burst]).await.remove(0);
    // Four at a time, without a pause, are 30 s.
    assert!(seen.last < SECOND * 40, "{:?}", seen.last);
    assert!(seen.asks.values().sum::<usize>() < 1_200 * 4, "{:?}", seen.asks);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_to_a_dead_host_delay_no_other_and_have_an_end() {
    let dead = Receiver { host: 2, messages: 10_000, takes: SECOND * 20, answers: false, ..FAST };
    let of_others = Receiver { client: OTHER, ..FAST };
    let seen = deliver(&Lanes::new(4, 16), &[dead, FAST, of_others]).await;
    for fast in &seen[1..] {
        assert!(fast.ended == 1_000 && fast.last < MINUTE * 3 / 2, "{fast:?}");
    }
    let dead = &seen[0];
    assert_eq!(dead.ended, 10_000);
    assert!(dead.last < Duration::from_hours(4 * 24), "{:?}", dead.last);
    let from = |minute: u64, by_minute: &BTreeMap<u64, usize>| -> Vec<usize> {
        by_minute.range(minute..).map(|(_, count)| *count).collect()
    };
    // One after each rest, and nobody is kept by more.
    let tries = from(1, &dead.tries);
    assert!((300..600).contains(&tries.len()) && tries.iter().all(|tries| *tries == 1), "{tries:?}");
    let asks = from(5, &dead.asks);
    assert!(asks.iter().all(|asks| *asks < 200), "two a second: {:?}", asks.iter().max());
}

#[tokio::test(start_paused = true)]
async fn who_has_a_thousand_slow_hosts_takes_nothing_from_others() {
    let lanes = Lanes::new(4, 16);
    let slow = |host| Receiver { host, messages: 1, takes: SECOND * 19, ..FAST };
    let slow: Vec<_> = (10..1_010).map(slow).collect();
    let others = async {
        for second in 0..300 {
            sleep(SECOND).await;
            let place = lanes.enter(OTHER, b"quick");
            sleep(MILLISECOND * 100).await;
            place.unwrap_or_else(|why| panic!("{second}: {why:?}")).answered();
        }
    };
    let (seen, ()) = tokio::join!(deliver(&lanes, &slow), others);
    let mut asks = BTreeMap::new();
    for (minute, count) in seen.iter().flat_map(|seen| &seen.asks) {
        *asks.entry(*minute).or_insert(0) += count;
    }
    assert!(asks.range(10..).all(|(_, asks)| *asks < 200), "two a second: {asks:?}");
    // Six at a time, without a pause, are 53 min.
    assert!(seen.iter().all(|seen| seen.ended == 1 && seen.last < MINUTE * 60));
}
