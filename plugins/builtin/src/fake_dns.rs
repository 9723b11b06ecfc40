//! DNS in memory, for tests of stages: a zone in a text, and every question counted.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use mailsonde_engine::{
    Address, Batch, BoxFuture, Check, Context, Lookup, LookupFailure, Outcome, Pipeline, Pure, RecordData,
    RecordKind, Resolver, Slot, Stage, Subject,
};

/// Answers from a zone.
pub(crate) struct FakeDns {
    records: HashMap<(String, RecordKind), Answer>,
    asked: Mutex<BTreeMap<String, usize>>,
    in_flight: AtomicUsize,
    in_flight_most: AtomicUsize,
}

enum Answer {
    Records(Vec<RecordData>),
    Failure(LookupFailure),
    Hang,
}

impl FakeDns {
    /// A record on each line: `name KIND data`. As data, `SERVFAIL`, `TIMEOUT` and `HANG` (no answer, ever) stand for
    /// what goes wrong. A name exists if it is there with any kind, or above a name that is.
    pub(crate) fn new(zone: &str) -> Arc<Self> {
        let mut records: HashMap<_, Answer> = HashMap::new();
        for line in zone.lines().filter(|line| !line.trim().is_empty()) {
            let (name, rest) = line.trim().split_once(' ').unwrap();
            let (kind, data) = rest.split_once(' ').unwrap_or((rest, ""));
            let kind = kind_of(kind);
            let answer = records.entry((name.to_owned(), kind)).or_insert(Answer::Records(Vec::new()));
            match (data, answer) {
                ("SERVFAIL", answer) => *answer = Answer::Failure(LookupFailure::ServerFailure),
                ("TIMEOUT", answer) => *answer = Answer::Failure(LookupFailure::Timeout),
                ("HANG", answer) => *answer = Answer::Hang,
                (data, Answer::Records(records)) => records.push(record(kind, data)),
                _ => panic!("{line}: the name fails already"),
            }
        }
        let (in_flight, in_flight_most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { records, asked: Mutex::default(), in_flight, in_flight_most })
    }

    /// Questions asked, repeated ones too.
    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().unwrap().values().sum()
    }

    /// Questions asked about this very name and kind.
    pub(crate) fn asked_for(&self, name: &str, kind: RecordKind) -> usize {
        self.asked.lock().unwrap().get(&format!("{name} {kind:?}")).copied().unwrap_or_default()
    }

    /// The most questions that were open at the same time.
    pub(crate) fn in_flight_most(&self) -> usize {
        self.in_flight_most.load(Relaxed)
    }

    async fn answer(&self, name: &str, kind: RecordKind) -> Lookup {
        match self.records.get(&(name.to_owned(), kind)) {
            Some(Answer::Records(records)) => Lookup::Found(records.clone().into()),
            Some(Answer::Failure(failure)) => Lookup::Failed(*failure),
            Some(Answer::Hang) => std::future::pending().await,
            None => {
                let is_at_or_below = |other: &str| {
                    other.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                };
                let exists = self.records.keys().any(|(other, _)| is_at_or_below(other));
                if exists { Lookup::NoData } else { Lookup::NoDomain }
            }
        }
    }
}

impl Resolver for FakeDns {
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordKind) -> BoxFuture<'a, Lookup> {
        Box::pin(async move {
            *self.asked.lock().unwrap().entry(format!("{name} {kind:?}")).or_default() += 1;
            let in_flight = self.in_flight.fetch_add(1, Relaxed) + 1;
            self.in_flight_most.fetch_max(in_flight, Relaxed);
            // Questions that are asked at the same time are open at the same time.
            tokio::task::yield_now().await;
            let lookup = self.answer(name, kind).await;
            self.in_flight.fetch_sub(1, Relaxed);
            lookup
        })
    }
}

fn kind_of(word: &str) -> RecordKind {
    match word {
        "MX" => RecordKind::Mx,
        "A" => RecordKind::A,
        "AAAA" => RecordKind::Aaaa,
        "TXT" => RecordKind::Txt,
        "NS" => RecordKind::Ns,
        "DS" => RecordKind::Ds,
        "CAA" => RecordKind::Caa,
        "PTR" => RecordKind::Ptr,
        _ => panic!("{word}: unknown kind"),
    }
}

fn record(kind: RecordKind, data: &str) -> RecordData {
    match kind {
        RecordKind::Mx => {
            let (preference, exchange) = data.split_once(' ').unwrap();
            let exchange = exchange.strip_suffix('.').unwrap_or(exchange);
            RecordData::Mx { preference: preference.parse().unwrap(), exchange: exchange.into() }
        }
        RecordKind::A | RecordKind::Aaaa => RecordData::Address(data.parse().unwrap()),
        RecordKind::Txt => RecordData::Txt(data.into()),
        RecordKind::Ns => RecordData::Ns(data.into()),
        RecordKind::Ds | RecordKind::Caa | RecordKind::Ptr => RecordData::Present,
    }
}

/// Splits an input at its `@`, so that tests of one stage need no other.
struct Split;

impl Check for Split {
    fn name(&self) -> &'static str {
        "split"
    }

    fn check(&self, subject: &Subject, outcome: &mut Outcome) {
        let (local, domain) = subject.input().rsplit_once('@').unwrap();
        outcome.resolved(Address::new(local, domain));
    }
}

/// Runs addresses through one stage.
pub(crate) async fn run(stage: impl Stage + 'static, addresses: &[&str]) -> Vec<Subject> {
    run_within(Duration::from_mins(1), stage, addresses).await
}

/// Runs addresses through one stage that has so much time.
pub(crate) async fn run_within(
    limit: Duration,
    stage: impl Stage + 'static,
    addresses: &[&str],
) -> Vec<Subject> {
    let slots = vec![Slot::new(Arc::new(Pure(Split))), Slot::new(Arc::new(stage)).deadline(Some(limit))];
    let mut batch = Batch::new(addresses.iter().map(|address| Subject::new(*address)).collect());
    let pipeline = Pipeline::new("test", slots).unwrap();
    pipeline.run(&Context::within(limit * 2), &mut batch).await;
    batch.into_subjects()
}
