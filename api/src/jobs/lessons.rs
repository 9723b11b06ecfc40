//! What probers have in common through the store: what one learns is written down, and what others have learned is read
//! and taken in. How long a lesson holds is the prober's to say; nothing is judged here.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use futures_util::FutureExt as _;
use mailsonde_net::{Learned, Lesson, Lessons, SmtpProber};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

use crate::store::{
    Shared, StoreError,
    keys::Row,
    learned::{self, Fact, KeptFact},
};

/// How long lessons are gathered, to be written together.
const GATHER: Duration = Duration::from_millis(200);

/// Lessons that are written in one statement, and read in one.
const TOLD_MAX: usize = 100;
const HEARD_MAX: usize = 500;

/// How often to look for what others have learned.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The pause after the store was away.
const PAUSE: Duration = Duration::from_secs(2);

/// Lessons that wait for a store that is away. More are left to the prober, which drops the oldest.
const PENDING_MAX: usize = 4_096;

/// How long the start of a process waits for what is known already, and its end for what is not written yet.
const PATIENCE: Duration = Duration::from_secs(5);

/// A prober's tie to those of other processes, until it is closed.
pub(crate) struct Tie {
    task: JoinHandle<()>,
    end: watch::Sender<bool>,
}

/// What something is about, as the table has it: kind and key.
type Place = (&'static str, String);

/// A lesson that is not written yet.
struct Pending {
    learned: Learned,
    until: Instant,
}

/// Carries lessons from one prober into the store, and others out of it.
struct Carrier<T> {
    store: Shared,
    /// Takes in what others have learned.
    teach: T,
    /// What came last about each thing.
    pending: BTreeMap<Place, Pending>,
    /// When to write.
    due: Instant,
    /// Up to which version others' lessons are known.
    version: i64,
    /// What was written here, and will be read again.
    own: HashSet<i64>,
    is_away: bool,
    /// Lessons that were lost on their way here, as far as was told.
    missed: u64,
}

impl Tie {
    /// Ties the prober. What is known in the store by now is taken in before this ends, if it does not take long.
    pub(crate) async fn new(store: Shared, prober: SmtpProber) -> Self {
        let (end, ended) = watch::channel(false);
        let lessons = prober.learned();
        let mut carrier = Carrier::new(store, move |learned, life| prober.teach(learned, life));
        if timeout(PATIENCE, carrier.hear()).await.is_err() {
            tracing::info!("what probes have learned before is still being read");
        }
        Self { task: tokio::spawn(carrier.run(lessons, ended)), end }
    }

    /// Writes what is not written yet, if that does not take long.
    pub(crate) async fn close(mut self) {
        self.end.send_replace(true);
        if timeout(PATIENCE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl<T: Fn(Learned, Duration) + Send + Sync> Carrier<T> {
    fn new(store: Shared, teach: T) -> Self {
        let (pending, own) = (BTreeMap::new(), HashSet::new());
        Self { store, teach, pending, due: Instant::now(), version: 0, own, is_away: false, missed: 0 }
    }

    /// Until the process ends.
    async fn run(mut self, mut lessons: Lessons, mut ended: watch::Receiver<bool>) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = is_over(&mut ended) => break,
                lesson = lessons.next(), if self.pending.len() < PENDING_MAX => match lesson {
                    Some(lesson) => {
                        self.tell_of_missed(lessons.missed());
                        self.note(lesson);
                    }
                    None => break,
                },
                () = sleep_until(self.due), if !self.pending.is_empty() => self.tell().await,
                _ = looks.tick() => self.hear().await,
            }
        }
        // What was told before the end counts.
        while let Some(Some(lesson)) = lessons.next().now_or_never() {
            self.note(lesson);
        }
        self.tell().await;
    }

    /// Keeps a lesson until it is written.
    fn note(&mut self, lesson: Lesson) {
        let Lesson { learned, life } = lesson;
        let now = Instant::now();
        if self.pending.is_empty() && self.due < now {
            self.due = now + GATHER;
        }
        let kind = learned.kind();
        let place = (kind, self.store.keys().index_of_name(kind, &learned.key()));
        self.pending.insert(place, Pending { learned, until: now + life });
        if self.pending.len() >= TOLD_MAX && !self.is_away {
            self.due = now;
        }
    }

    /// Writes what is to be written. What the store does not take stays for the next time.
    async fn tell(&mut self) {
        let now = Instant::now();
        self.pending.retain(|_, pending| pending.until > now);
        while !self.pending.is_empty() {
            let facts: Vec<(Place, Fact)> = self
                .pending
                .iter()
                .take(TOLD_MAX)
                .map(|(place, pending)| self.fact(place, pending))
                .collect();
            let (places, facts): (Vec<Place>, Vec<Fact>) = facts.into_iter().unzip();
            let written = self.write(&facts).await;
            self.log(written.as_ref().err());
            let Ok(versions) = written else {
                self.due = Instant::now() + PAUSE;
                return;
            };
            self.own.extend(versions);
            for place in &places {
                self.pending.remove(place);
            }
        }
    }

    fn fact(&self, place: &Place, pending: &Pending) -> (Place, Fact) {
        let (kind, key) = place;
        let plain = serde_json::to_vec(&pending.learned).expect("its maps have texts as keys");
        let fact = Fact {
            kind: (*kind).to_owned(),
            key: key.clone(),
            sealed: self.store.keys().seal(Row::Learned { kind, key }, &plain),
            left: pending.until.saturating_duration_since(Instant::now()),
        };
        (place.clone(), fact)
    }

    async fn write(&self, facts: &[Fact]) -> Result<Vec<i64>, StoreError> {
        learned::teach(&self.store.worker().await?, facts).await
    }

    /// Takes in what others have learned since the last time.
    async fn hear(&mut self) {
        loop {
            let read = self.read().await;
            self.log(read.as_ref().err());
            let Ok(kept) = read else { return };
            for kept in &kept {
                self.version = kept.version;
                // What was learned here is known here.
                if !self.own.remove(&kept.version) {
                    self.take_in(&kept.fact);
                }
            }
            if kept.len() < HEARD_MAX {
                self.own.retain(|version| *version > self.version);
                return;
            }
        }
    }

    async fn read(&self) -> Result<Vec<KeptFact>, StoreError> {
        learned::newer(&self.store.worker().await?, self.version, HEARD_MAX).await
    }

    fn take_in(&self, fact: &Fact) {
        let row = Row::Learned { kind: &fact.kind, key: &fact.key };
        let plain = self.store.keys().open(row, &fact.sealed).ok();
        // Another release may have learned something that is unknown here, and a key may not be held.
        let Some(learned) = plain.and_then(|plain| serde_json::from_slice::<Learned>(&plain).ok()) else {
            return;
        };
        // What is about to be written here is newer.
        if !self.pending.contains_key(&(learned.kind(), fact.key.clone())) {
            (self.teach)(learned, fact.left);
        }
    }

    /// Says that lessons were lost, each time that some were: a prober drops them where they are not fetched for long.
    fn tell_of_missed(&mut self, missed: u64) {
        if missed > self.missed {
            let more = missed - self.missed;
            tracing::warn!(
                "{more} things that probes have learned are not shared: the database was too slow for them"
            );
            self.missed = missed;
        }
    }

    /// Says once that lessons do not get through, and once that they do again.
    fn log(&mut self, error: Option<&StoreError>) {
        match error {
            Some(error) if !self.is_away => {
                tracing::warn!("what probes learn is not shared for now: {error}");
            }
            None if self.is_away => tracing::info!("what probes learn is shared again"),
            _ => {}
        }
        self.is_away = error.is_some();
    }
}

/// Ends with the process. An error means that nobody is there to tell of it.
async fn is_over(ended: &mut watch::Receiver<bool>) {
    let _ = ended.wait_for(|ended| *ended).await;
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
    };

    use mailsonde_engine::{
        Address, Answer, Ask, BoxFuture, Lookup, MailHost, Prober as _, RecordData, RecordKind, Resolver,
        Stop,
    };
    use mailsonde_net::{Dialer, SmtpConfig, dialer::Stream};
    use serde_json::json;

    use super::*;
    use crate::store::testing;

    const HOUR: Duration = Duration::from_hours(1);

    type Taught = Arc<Mutex<Vec<(Learned, Duration)>>>;

    fn learned(fact: &serde_json::Value) -> Learned {
        serde_json::from_value(fact.clone()).unwrap()
    }

    fn pace(ceiling: usize) -> Learned {
        learned(&json!({"fact": "pace", "egress": 0, "of": {"operator": "google"}, "ceiling": ceiling}))
    }

    fn catch_all(domain: &str) -> Learned {
        let (host, accepts_all) = ("mx.secret.example", true);
        learned(&json!({"fact": "catch_all", "domain": domain, "host": host, "accepts_all": accepts_all}))
    }

    fn carrier(store: &Shared) -> (Carrier<impl Fn(Learned, Duration) + Send + Sync>, Taught) {
        let taught = Taught::default();
        let heard = taught.clone();
        (
            Carrier::new(store.clone(), move |learned, life| heard.lock().unwrap().push((learned, life))),
            taught,
        )
    }

    fn heard(taught: &Taught) -> Vec<Learned> {
        taught.lock().unwrap().drain(..).map(|(learned, _)| learned).collect()
    }

    fn note<T: Fn(Learned, Duration) + Send + Sync>(carrier: &mut Carrier<T>, learned: Learned) {
        carrier.note(Lesson { learned, life: HOUR });
    }

    #[tokio::test]
    async fn what_one_learns_another_one_knows() {
        let store = Arc::new(testing::store().await);
        let ((mut one, ones), (mut two, twos)) = (carrier(&store), carrier(&store));
        note(&mut one, pace(60));
        note(&mut one, catch_all("all.example"));
        note(&mut one, pace(50));
        one.tell().await;
        two.hear().await;
        let left = twos.lock().unwrap()[0].1;
        assert!(left > HOUR / 2 && left <= HOUR);
        assert_eq!(heard(&twos), [catch_all("all.example"), pace(50)], "the last word on each");
        one.hear().await;
        assert_eq!(heard(&ones), [], "nobody is told what he said");
        note(&mut two, pace(40));
        two.tell().await;
        one.hear().await;
        two.hear().await;
        assert_eq!((heard(&ones), heard(&twos)), (vec![pace(40)], vec![]));
        let (mut late, lates) = carrier(&store);
        late.hear().await;
        assert_eq!(heard(&lates), [catch_all("all.example"), pace(40)]);
    }

    #[tokio::test]
    async fn what_was_learned_later_is_not_replaced_by_what_others_learned_before() {
        let store = Arc::new(testing::store().await);
        let ((mut one, _), (mut two, twos)) = (carrier(&store), carrier(&store));
        note(&mut one, pace(60));
        one.tell().await;
        note(&mut two, pace(30));
        two.hear().await;
        assert_eq!(heard(&twos), []);
    }

    #[tokio::test]
    async fn more_than_one_statement_holds_gets_through() {
        let store = Arc::new(testing::store().await);
        let ((mut one, _), (mut two, twos)) = (carrier(&store), carrier(&store));
        let all = 2 * HEARD_MAX + 1;
        (0..all).for_each(|n| note(&mut one, catch_all(&format!("d{n}.example"))));
        one.tell().await;
        two.hear().await;
        assert_eq!(heard(&twos).len(), all);
    }

    #[tokio::test]
    async fn no_domain_stands_in_clear_and_what_cannot_be_read_is_passed_over() {
        let store = Arc::new(testing::store().await);
        let (mut one, _) = carrier(&store);
        note(&mut one, catch_all("all.example"));
        one.tell().await;
        let client = store.worker().await.unwrap();
        let text: String = client.query_one("select learned::text from learned", &[]).await.unwrap().get(0);
        // `all.example` and `secret`, also as octets are written.
        for word in ["all.example", "616c6c2e6578616d706c65", "secret", "736563726574"] {
            assert!(!text.contains(word), "{text}");
        }
        client.execute("update learned set sealed = '\\x00'", &[]).await.unwrap();
        let (mut two, twos) = carrier(&store);
        two.hear().await;
        assert_eq!(heard(&twos), []);
    }

    #[tokio::test]
    async fn a_store_that_is_away_gets_it_later() {
        let store = Arc::new(testing::store().await);
        let (mut one, _) = carrier(&store);
        note(&mut one, pace(60));
        let client = store.worker().await.unwrap();
        client.batch_execute("alter table learned rename to gone").await.unwrap();
        one.tell().await;
        assert!(one.is_away && one.pending.len() == 1 && one.due > Instant::now());
        client.batch_execute("alter table gone rename to learned").await.unwrap();
        one.tell().await;
        assert!(!one.is_away && one.pending.is_empty());
        let (mut two, twos) = carrier(&store);
        two.hear().await;
        assert_eq!(heard(&twos), [pace(60)]);
    }

    /// Where every host is, and refuses connections.
    #[derive(Default)]
    struct Silent(AtomicUsize);

    impl Resolver for Silent {
        fn lookup<'a>(&'a self, _: &'a str, kind: RecordKind) -> BoxFuture<'a, Lookup> {
            let address = RecordData::Address([9, 9, 9, 9].into());
            let found = if kind == RecordKind::A { Lookup::Found([address].into()) } else { Lookup::NoData };
            Box::pin(std::future::ready(found))
        }
    }

    impl Dialer for Silent {
        fn dial(&self, _: SocketAddr) -> BoxFuture<'_, std::io::Result<Stream>> {
            self.0.fetch_add(1, Relaxed);
            Box::pin(std::future::ready(Err(std::io::ErrorKind::ConnectionRefused.into())))
        }
    }

    fn prober() -> (SmtpProber, Arc<Silent>) {
        let net = Arc::new(Silent::default());
        let dialer = net.clone();
        let config = SmtpConfig { mail_from: "probe@example.net".into(), ..SmtpConfig::default() };
        (SmtpProber::with_dialers(config, net.clone(), move |_| dialer.clone()).unwrap(), net)
    }

    async fn ask(prober: &SmtpProber) {
        let mut answers = prober.ask(Ask {
            mx: Arc::new([MailHost { preference: 10, name: "mx.example.com".into() }]),
            recipients: vec![Address::new("jane", "example.com")],
            stop: Stop::All,
            deadline: Instant::now() + Duration::from_secs(10),
            egress: None,
        });
        assert!(matches!(answers.recv().await.unwrap().answer, Answer::Failed(_)));
    }

    #[tokio::test]
    async fn a_host_that_rests_for_one_prober_rests_for_the_next() {
        let store = Arc::new(testing::store().await);
        let ((one, ones), (two, twos)) = (prober(), prober());
        let tie = Tie::new(store.clone(), one.clone()).await;
        ask(&one).await;
        // What it learned is written before it ends.
        tie.close().await;
        let tie = Tie::new(store.clone(), two.clone()).await;
        ask(&two).await;
        tie.close().await;
        assert_eq!((ones.0.load(Relaxed), twos.0.load(Relaxed)), (1, 0));
    }
}
