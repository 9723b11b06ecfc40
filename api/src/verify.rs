//! Many inputs through one pipeline: batches in, verdicts out, in the order of submission. With patience, whoever a
//! server asked to come back later is asked again.

use std::{
    collections::HashSet,
    io, mem,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};

use futures_util::{
    StreamExt,
    stream::{FuturesOrdered, FuturesUnordered},
};
use jiff::Timestamp;
use mailsonde_builtin::person::Person;
use mailsonde_engine::{
    BATCH_MAX, Batch, Clock, Context, Finding, ORDER_WINDOW, Pipeline, Policy, SlotReport, Subject,
    SystemClock, Verdict,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::{JoinError, JoinHandle},
    time::{Instant, sleep_until},
};

use crate::{formats::Remembered, verification::Moment};

/// Batches at work at once: together they fill the window within which order is kept.
const BATCHES_AT_WORK_MAX: usize = ORDER_WINDOW / BATCH_MAX;

/// Batches that wait to ask again, beside those at work: some 100 MB.
const BATCHES_WAITING_MAX: usize = 100;

/// Retries that are due within this time leave together, in one session where they can.
const TOGETHER: Duration = Duration::from_secs(10);

/// The stage that repeated inputs run through too: whether something is an address, each row is told for itself.
const SYNTAX: &str = "syntax";

/// Who finds what a list itself says of an input.
const SOURCE: &str = "list";

/// A pipeline with what a run of it needs.
pub struct Verifier {
    pipeline: Pipeline,
    /// What of it repeated inputs run through.
    reading: Pipeline,
    policy: Policy,
    deadline: Duration,
    patience: Duration,
    at_work: Semaphore,
    /// What is learned of formats, and used for whoever comes next.
    memory: Option<Arc<Remembered>>,
}

/// A batch of inputs, and where it stood in the whole.
pub struct Inputs {
    /// Row number of the first input, from 1.
    pub first_row: u64,
    /// At most [`BATCH_MAX`].
    pub inputs: Vec<String>,
}

/// A batch of inputs, in which those are marked that name the mailbox of an earlier row. Nobody is asked about them.
pub struct Marked {
    /// The batch.
    pub inputs: Inputs,
    /// For each input the earlier row, from 1; none where this is shorter.
    pub duplicate_of: Vec<Option<u64>>,
}

impl From<Inputs> for Marked {
    fn from(inputs: Inputs) -> Self {
        Self { inputs, duplicate_of: Vec::new() }
    }
}

/// A judged batch.
pub struct Verified {
    /// Row number of the first verdict, from 1.
    pub first_row: u64,
    /// In the order of submission.
    pub verdicts: Vec<Verdict>,
    /// What each slot cost.
    pub reports: Vec<SlotReport>,
    /// When the batch was done.
    pub moment: Moment,
}

/// In which order batches come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they went in.
    Submitted,
    /// As they are done.
    Completed,
}

impl Verifier {
    /// `policy`: how findings are judged; `deadline`: the time for one run of a batch.
    pub fn new(pipeline: Pipeline, policy: Policy, deadline: Duration) -> Self {
        let at_work = Semaphore::new(BATCHES_AT_WORK_MAX);
        let reading = pipeline.only(SYNTAX);
        Self { pipeline, reading, policy, deadline, patience: Duration::ZERO, at_work, memory: None }
    }

    /// The same, that asks servers again which want us to come back later, for as long as this.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same, that learns how domains make addresses of names. Of each domain of which nothing is known, one person is
    /// looked for before the others.
    #[must_use]
    pub(crate) fn learning(self, memory: Arc<Remembered>) -> Self {
        Self { memory: Some(memory), ..self }
    }

    /// Verifies one batch.
    pub async fn verify(&self, batch: Inputs) -> Verified {
        self.verify_marked(batch.into()).await
    }

    async fn verify_marked(&self, batch: Marked) -> Verified {
        let began = Instant::now();
        let Marked { inputs: Inputs { first_row, inputs }, duplicate_of } = batch;
        let rows = 0..inputs.len();
        let earlier = |at: usize| duplicate_of.get(at).copied().flatten();
        let (mut firsts, mut repeats) = (Vec::new(), Vec::new());
        for (at, input) in inputs.into_iter().enumerate() {
            match earlier(at) {
                None => firsts.push(Subject::new(input)),
                Some(row) => repeats.push(repeat(input, row)),
            }
        }
        let (firsts, reports) = self.ask(firsts, began).await;
        let (mut firsts, mut repeats) = (firsts.into_iter(), self.read(repeats).await.into_iter());
        let subjects =
            rows.filter_map(|at| if earlier(at).is_some() { repeats.next() } else { firsts.next() });
        let verdicts = subjects.map(|subject| Verdict::of(subject, self.policy)).collect();
        let verified_at = Timestamp::try_from(SystemClock.now()).unwrap_or(Timestamp::UNIX_EPOCH);
        Verified { first_row, verdicts, reports, moment: Moment { verified_at, took: began.elapsed() } }
    }

    /// Asks about subjects, and again as often as their servers want, within patience.
    async fn ask(&self, subjects: Vec<Subject>, began: Instant) -> (Vec<Subject>, Vec<SlotReport>) {
        let (mut subjects, mut reports) = self.run(subjects, 0).await;
        let mut due = self.put_off(&subjects, 0..subjects.len(), began);
        for attempt in 1.. {
            let Some(first) = due.iter().map(|(at, _)| *at).min() else { break };
            let (now, later) = due.into_iter().partition::<Vec<_>, _>(|(at, _)| *at <= first + TOGETHER);
            sleep_until(now.iter().map(|(at, _)| *at).max().unwrap_or(first)).await;
            let positions: Vec<usize> = now.into_iter().map(|(_, position)| position).collect();
            let again = positions.iter().map(|position| subjects[*position].again()).collect();
            let (heard, more) = self.run(again, attempt).await;
            add_reports(&mut reports, more);
            for (position, subject) in positions.iter().zip(heard) {
                // Where nobody could be asked this time, what was heard before is worth more.
                if !is_without_answer(&subject) {
                    subjects[*position] = subject;
                }
            }
            due = later;
            due.extend(self.put_off(&subjects, positions.into_iter(), began));
        }
        (subjects, reports)
    }

    /// Repeated inputs: whether they are addresses at all.
    async fn read(&self, subjects: Vec<Subject>) -> Vec<Subject> {
        let mut batch = Batch::new(subjects);
        self.reading.run(&Context::within(self.deadline), &mut batch).await;
        batch.into_subjects()
    }

    /// A run of all subjects; of persons in two turns, where something can be learned from the first.
    async fn run(&self, subjects: Vec<Subject>, attempt: u32) -> (Vec<Subject>, Vec<SlotReport>) {
        let Some(memory) = &self.memory else { return self.turn(subjects, attempt).await };
        let is_scout = scouts(&subjects, memory);
        let (mut turns, mut reports) = ([Vec::new(), Vec::new()], Vec::new());
        for (subject, is_scout) in subjects.into_iter().zip(&is_scout) {
            turns[usize::from(!is_scout)].push(subject);
        }
        for turn in &mut turns {
            let (heard, more) = self.turn(mem::take(turn), attempt).await;
            let verdicts: Vec<Verdict> =
                heard.iter().map(|subject| Verdict::of(subject.clone(), self.policy)).collect();
            memory.learn(&verdicts);
            *turn = heard;
            add_reports(&mut reports, more);
        }
        let [scouts, others] = turns;
        let (mut scouts, mut others) = (scouts.into_iter(), others.into_iter());
        let next = |is_scout: bool| if is_scout { scouts.next() } else { others.next() };
        (is_scout.into_iter().filter_map(next).collect(), reports)
    }

    /// One run of the pipeline. Who waits for a retry meanwhile is in nobody's way.
    async fn turn(&self, subjects: Vec<Subject>, attempt: u32) -> (Vec<Subject>, Vec<SlotReport>) {
        let _place = self.at_work.acquire().await;
        let cx = Context { attempt, ..Context::within(self.deadline) };
        let mut batch = Batch::new(subjects);
        let reports = self.pipeline.run(&cx, &mut batch).await;
        (batch.into_subjects(), reports)
    }

    /// Who is to be asked again, and when, as far as patience reaches.
    fn put_off(
        &self,
        subjects: &[Subject],
        positions: impl Iterator<Item = usize>,
        began: Instant,
    ) -> Vec<(Instant, usize)> {
        let now = Instant::now();
        let at = |position: usize| Some((now + subjects[position].deferral()?.wait, position));
        positions.filter_map(at).filter(|(at, _)| *at <= began + self.patience).collect()
    }

    /// Verifies batches as they arrive, several at once, and hands each to `sink`.
    ///
    /// # Errors
    /// Those of `sink`; what is in flight is dropped then.
    pub async fn stream(
        self: Arc<Self>,
        mut batches: mpsc::Receiver<impl Into<Marked>>,
        order: Order,
        mut sink: impl FnMut(Verified) -> io::Result<()>,
    ) -> io::Result<()> {
        let waiting_max = if self.patience.is_zero() { 0 } else { BATCHES_WAITING_MAX };
        let in_flight_max = BATCHES_AT_WORK_MAX + waiting_max;
        let mut in_flight = InFlight::new(order);
        let mut is_open = true;
        while is_open || in_flight.len() > 0 {
            tokio::select! {
                batch = batches.recv(), if is_open && in_flight.len() < in_flight_max => match batch {
                    Some(batch) => {
                        let (verifier, batch) = (self.clone(), batch.into());
                        in_flight.push(Running(tokio::spawn(async move { verifier.verify_marked(batch).await })));
                    }
                    None => is_open = false,
                },
                Some(done) = in_flight.next(), if in_flight.len() > 0 => sink(done.map_err(io::Error::other)?)?,
            }
        }
        Ok(())
    }
}

/// An input whose mailbox stood in an earlier row.
fn repeat(input: String, row: u64) -> Subject {
    let mut subject = Subject::new(input);
    subject.note(&Arc::from(SOURCE), Finding::DuplicateOf(row));
    subject
}

/// Which of the subjects go first: of each domain of which nothing is known, the first person.
fn scouts(subjects: &[Subject], memory: &Remembered) -> Vec<bool> {
    let mut domains: HashSet<Box<str>> = HashSet::new();
    let is_scout = |subject: &Subject| match Person::read(subject.input()) {
        Some(Ok(person)) => !memory.knows(person.domain()) && domains.insert(Box::from(person.domain())),
        _ => false,
    };
    subjects.iter().map(is_scout).collect()
}

/// Nobody answered about the mailbox.
fn is_without_answer(subject: &Subject) -> bool {
    subject.findings().any(|finding| matches!(finding, Finding::ProbeFailed(_)))
}

/// What a retry cost is added to what the slots have cost before.
fn add_reports(reports: &mut Vec<SlotReport>, more: Vec<SlotReport>) {
    for report in more {
        match reports.iter_mut().find(|earlier| earlier.position == report.position) {
            Some(earlier) => {
                earlier.elapsed += report.elapsed;
                earlier.faults += report.faults;
            }
            None => reports.push(report),
        }
    }
}

/// A batch at work. Dropping it ends the work.
struct Running(JoinHandle<Verified>);

impl Future for Running {
    type Output = Result<Verified, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Running batches, in one order or the other.
enum InFlight {
    Submitted(FuturesOrdered<Running>),
    Completed(FuturesUnordered<Running>),
}

impl InFlight {
    fn new(order: Order) -> Self {
        match order {
            Order::Submitted => Self::Submitted(FuturesOrdered::new()),
            Order::Completed => Self::Completed(FuturesUnordered::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Submitted(batches) => batches.len(),
            Self::Completed(batches) => batches.len(),
        }
    }

    fn push(&mut self, batch: Running) {
        match self {
            Self::Submitted(batches) => batches.push_back(batch),
            Self::Completed(batches) => batches.push(batch),
        }
    }

    async fn next(&mut self) -> Option<Result<Verified, JoinError>> {
        match self {
            Self::Submitted(batches) => batches.next().await,
            Self::Completed(batches) => batches.next().await,
        }
    }
}
