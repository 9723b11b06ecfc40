//! An installation of a test's own: a Postgres, the configuration, commands.

use std::{
    fmt::Display,
    process::Child,
    sync::{Arc, Mutex},
    time::Duration,
};

use mailsonde_tests::{
    mailsonde::{Mailsonde, Run},
    real::{daemon::wait_until, postgres::Postgres},
};
use serde_json::Value;

use crate::worker::Worker;

/// What each address begins with, and nothing else does: by it an address is found where it must not be.
pub(crate) const MARK: &str = "zyxw.";

/// Any key will do, as long as all processes have it.
const KEYS: &str = "0badcafe AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Nothing takes longer where all is well, on a busy machine either.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// An installation.
pub(crate) struct Site {
    /// Its database.
    pub(crate) postgres: Postgres,
    variables: Vec<(String, String)>,
    said: Arc<Mutex<String>>,
}

impl Site {
    /// One with leases of [`LEASE`] and an empty schema. `variables` come after the usual ones.
    pub(crate) fn new<V: Display>(variables: &[(&str, V)]) -> Self {
        Self::with(variables.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())))
    }

    /// The same.
    pub(crate) fn with(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::bare(variables).migrated()
    }

    /// The same, with this Postgres.
    pub(crate) fn of<V: Display>(postgres: Postgres, variables: &[(&str, V)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), value.to_string()));
        Self::bare_of(postgres, variables).migrated()
    }

    fn migrated(self) -> Self {
        let run = self.run(&["migrate"]);
        assert!(run.status.success(), "{}", run.stderr);
        self
    }

    /// One whose database is empty.
    pub(crate) fn bare(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::bare_of(Postgres::start(&[]).unwrap(), variables)
    }

    fn bare_of(postgres: Postgres, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let usual = [
            ("MAILSONDE_DATABASE__URL", &*postgres.url()),
            ("MAILSONDE_ENCRYPTION__KEYS", KEYS),
            ("MAILSONDE_JOBS__LEASE", "1s"),
            ("MAILSONDE_JOBS__POLL", "100ms"),
        ];
        let usual = usual.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = usual.into_iter().chain(variables).collect();
        Self { postgres, variables, said: Arc::default() }
    }

    fn command(&self, args: &[&str]) -> Mailsonde {
        Mailsonde::new(args).env(self.variables.iter().map(|(name, value)| (name, value)))
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let run = self.command(args).run().unwrap();
        self.said.lock().unwrap().push_str(&run.stderr);
        run
    }

    /// A command that fails with one line, which has this in it, and no address.
    pub(crate) fn is_refused(&self, args: &[&str], inputs: &[String], why: &str) {
        let run = self.command(args).stdin(inputs.join("\n")).run().unwrap();
        assert_eq!(run.status.code(), Some(1), "{args:?}: {}", run.stderr);
        let is_clear = run.stderr.trim_end().lines().count() == 1 && run.stderr.contains(why);
        assert!(is_clear && !run.stderr.contains(MARK), "{args:?}: {}", run.stderr);
    }

    /// Starts a command whose output somebody reads.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// Starts a process that works.
    pub(crate) fn worker(&self) -> Worker {
        Worker::start(&self.variables, &self.said)
    }

    /// Starts a process that works, and waits until it is at work at some chunk.
    pub(crate) fn worker_at_work(&self) -> Worker {
        self.worker_that(str::to_owned)
    }

    /// Starts a process that works, and waits until it is at work. `None`: no chunk of this job is left, others have done
    /// what there was.
    pub(crate) fn worker_at(&self, job: &str) -> Option<Worker> {
        let left = format!("exists (select from task where kind = 'chunk' and job = '{job}')");
        let is_left = || self.query(&format!("select {left}")) == "t";
        if !is_left() {
            return None;
        }
        let worker = self.worker_that(|is_at_work| format!("{is_at_work} or not {left}"));
        is_left().then_some(worker)
    }

    /// Starts a process that works, and waits for a condition made of that it is at work at some chunk.
    fn worker_that(&self, condition: impl Fn(&str) -> String) -> Worker {
        let known = self.query("select coalesce(string_agg(quote_literal(id), ','), '''''') from worker");
        let worker = self.worker();
        let is_at_work = format!(
            "exists (select from task where kind = 'chunk' and state = 'running' and worker::text not in ({known}))"
        );
        self.wait(&format!("select {}", condition(&is_at_work)), "t");
        worker
    }

    /// Submits these inputs. Returns the job's id.
    pub(crate) fn submit(&self, inputs: &[String], args: &[&str]) -> String {
        let args: Vec<&str> = ["job", "submit", "-"].into_iter().chain(args.iter().copied()).collect();
        let run = self.command(&args).stdin(inputs.join("\n")).run().unwrap();
        assert!(run.status.success(), "{}", run.stderr);
        run.stdout.trim().to_owned()
    }

    /// What there is to tell of a job.
    pub(crate) fn job(&self, id: &str) -> Value {
        let run = self.run(&["job", "show", id, "--format", "json"]);
        assert!(run.status.success(), "{}", run.stderr);
        serde_json::from_str(&run.stdout).unwrap()
    }

    /// The verdicts of a job.
    pub(crate) fn results(&self, id: &str) -> Vec<Value> {
        self.command(&["job", "results", id, "--format", "jsonl"]).json_lines().unwrap()
    }

    /// What SQL returns.
    pub(crate) fn query(&self, sql: &str) -> String {
        self.postgres.query(sql).unwrap()
    }

    /// Waits until SQL returns this. A database that is away is asked again.
    pub(crate) fn wait(&self, sql: &str, wanted: &str) {
        let mut last = String::new();
        let is_so = wait_until(LIMIT, || {
            last = self.postgres.query(sql).unwrap_or_else(|error| error.to_string());
            last == wanted
        });
        assert!(is_so, "{sql}: {last:?}, not {wanted:?}, after {LIMIT:?}; they said:\n{}", self.said());
    }

    /// Waits until a job has ended in this state.
    pub(crate) fn wait_for(&self, job: &str, state: &str) {
        self.wait(&format!("select state from job where id = '{job}'"), state);
    }

    /// Waits until processes have said this.
    pub(crate) fn wait_for_word(&self, word: &str) {
        assert!(wait_until(LIMIT, || self.said().contains(word)), "not said: {word}\n{}", self.said());
    }

    /// Waits until so many chunks are at work at least.
    pub(crate) fn wait_until_at_work(&self) {
        self.wait("select count(*) > 0 from task where kind = 'chunk' and state = 'running'", "t");
    }

    /// All that processes said so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// A job that ended in this state has a verdict for each of its inputs, once and in order; its counts are those of
    /// the verdicts; nothing of it is left to do. Returns the verdicts.
    pub(crate) fn is_whole(&self, job: &str, state: &str, inputs: &[String]) -> Vec<Value> {
        let told = self.job(job);
        assert_eq!(told["state"], state, "{told}");
        let results = self.results(job);
        assert_eq!(results.len(), inputs.len(), "{told}");
        for (result, input) in results.iter().zip(inputs) {
            assert_eq!(result["email"], **input);
        }
        let counts = told["categories"].as_object().unwrap();
        for (category, count) in counts {
            let counted = results.iter().filter(|result| result["category"] == **category).count();
            assert_eq!(*count, counted, "{category}: {told}");
        }
        let counted: u64 = counts.values().filter_map(Value::as_u64).sum();
        assert_eq!(usize::try_from(counted).unwrap(), inputs.len(), "{told}");
        let left = format!("select count(*) from task where job = '{job}' and state <> 'dead'");
        assert_eq!(self.query(&left), "0");
        let twice = format!(
            "select count(*) from chunk join lateral (select sum(final) from part where part.job = chunk.job \
             and part.chunk = chunk.no) parts on true where job = '{job}' and sum > items"
        );
        assert_eq!(self.query(&twice), "0", "no chunk has more verdicts than items");
        results
    }

    /// A whole job all of whose verdicts are written down.
    pub(crate) fn is_done(&self, job: &str, inputs: &[String]) {
        self.is_whole(job, "completed", inputs);
        let written = format!("select coalesce(sum(final), 0) from part where job = '{job}'");
        assert_eq!(self.query(&written), inputs.len().to_string());
        assert_eq!(self.query(&format!("select count(*) from chunk where job = '{job}' and dead")), "0");
    }

    /// Neither the database nor anything that was said holds an address in clear.
    pub(crate) fn keeps_secrets(&self) {
        assert!(!self.postgres.dump().unwrap().contains(MARK), "an address in the database");
        let said = self.said();
        assert!(!said.contains(MARK), "{said}");
    }
}

/// So many addresses, all different, at 700 domains.
pub(crate) fn addresses(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{MARK}{number}@domain{}.test", number % 700)).collect()
}
