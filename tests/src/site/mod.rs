//! An installation of a test's own: a Postgres, how the program is configured, commands, and processes that stay. All that
//! they say is kept together.
//!
//! What goes wrong here fails the test, so nothing returns an error that a test would have to unwrap.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "what fails in a helper fails the test")]

pub mod client;
pub mod jobs;
pub mod mail;
pub mod process;
pub mod receiver;
pub mod served;

use std::{
    process::Child,
    sync::{Arc, Mutex},
    time::Duration,
};

use mailsonde_lab::Net;
use process::Process;

use crate::{
    mailsonde::{Mailsonde, Run},
    real::{daemon::wait_until, postgres::Postgres},
};

/// What each address begins with, and nothing else does: by it an address is found where it must not be.
pub const MARK: &str = "zyxw.";

/// Nothing takes longer where all is well, on a busy machine either.
pub const LIMIT: Duration = Duration::from_mins(1);

/// Any key will do, as long as all processes have it.
const KEYS: &str = "0badcafe AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// An installation.
#[derive(Debug)]
pub struct Site {
    /// Its database.
    pub postgres: Postgres,
    variables: Vec<(String, String)>,
    said: Arc<Mutex<String>>,
}

impl Site {
    /// One with short leases, an empty schema, and no name servers. `variables` come after the usual ones.
    pub fn new(variables: &[(&str, &str)]) -> Self {
        Self::with(owned(variables))
    }

    /// The same.
    pub fn with(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::bare(variables).migrated()
    }

    /// The same, whose mail servers and name server are these.
    pub fn among(net: &Net, variables: &[(&str, &str)]) -> Self {
        Self::with(net.environment().into_iter().chain(owned(variables)))
    }

    /// The same, with this Postgres.
    pub fn of(postgres: Postgres, variables: &[(&str, &str)]) -> Self {
        Self::bare_of(postgres, owned(variables)).migrated()
    }

    fn migrated(self) -> Self {
        let run = self.run(&["migrate"]);
        assert!(run.status.success(), "{}", run.stderr);
        self
    }

    /// One whose database is empty.
    pub fn bare(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self::bare_of(Postgres::start(&[]).unwrap(), variables)
    }

    fn bare_of(postgres: Postgres, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let usual = owned(&[
            ("MAILSONDE_DATABASE__URL", &postgres.url()),
            ("MAILSONDE_ENCRYPTION__KEYS", KEYS),
            ("MAILSONDE_HTTP__LISTEN", "127.0.0.1:0"),
            // Nobody listens there: names are unknown at once.
            ("MAILSONDE_DNS__SERVERS", "[\"127.0.0.1:9\"]"),
            ("MAILSONDE_DNS__TIMEOUT", "200ms"),
            ("MAILSONDE_JOBS__LEASE", "1s"),
            ("MAILSONDE_JOBS__POLL", "100ms"),
            // Those who look whether something is done look often.
            ("MAILSONDE_HTTP__REQUESTS_PER_MINUTE", "1000000"),
            ("MAILSONDE_HTTP__BURST", "100000"),
        ]);
        let variables = usual.into_iter().chain(variables).collect();
        Self { postgres, variables, said: Arc::default() }
    }

    fn command(&self, args: &[&str]) -> Mailsonde {
        Mailsonde::new(args).env(self.variables.iter().map(|(name, value)| (name, value)))
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, "")
    }

    /// Runs a command that reads this to its end.
    pub fn run_with(&self, args: &[&str], stdin: &str) -> Run {
        let run = self.command(args).stdin(stdin).run().unwrap();
        self.said.lock().unwrap().push_str(&run.stderr);
        run
    }

    /// What a command prints, which must succeed, without the end of its line.
    pub fn print(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert!(run.status.success(), "{args:?}: {}", run.stderr);
        run.stdout.trim_end().to_owned()
    }

    /// A command that fails with one line, which has this in it, and no address.
    pub fn is_refused(&self, args: &[&str], inputs: &[String], why: &str) {
        let run = self.command(args).stdin(inputs.join("\n")).run().unwrap();
        assert_eq!(run.status.code(), Some(1), "{args:?}: {}", run.stderr);
        let is_clear = run.stderr.trim_end().lines().count() == 1 && run.stderr.contains(why);
        assert!(is_clear && !run.stderr.contains(MARK), "{args:?}: {}", run.stderr);
    }

    /// Starts a command whose output somebody reads.
    pub fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// Starts a process that stays.
    fn start_process(&self, args: &[&str]) -> Process {
        Process::start(&self.variables, args, &self.said)
    }

    /// What SQL returns.
    pub fn query(&self, sql: &str) -> String {
        self.postgres.query(sql).unwrap()
    }

    /// From now on, the database refuses to take rows of this table, so many times: others are in the way.
    pub fn refuse_at_first(&self, table: &str, times: u32) {
        self.query(&format!(
            "create sequence tries;
             create function conflict() returns trigger language plpgsql as $$
             begin
                 if nextval('tries') <= {times} then raise 'in the way' using errcode = '40001'; end if;
                 return new;
             end $$;
             create trigger conflict before insert on {table} for each row execute function conflict()"
        ));
    }

    /// From now on, the database takes its time to keep verdicts, 0.2 s for each part of them: with so many chunks at once,
    /// there is work for a while on the fastest of machines.
    pub fn brake(&self) {
        self.query(
            "create function brake() returns trigger language plpgsql as $$
             begin
                 perform pg_sleep(0.2);
                 return new;
             end $$;
             create trigger brake before insert on part for each row execute function brake()",
        );
    }

    /// Waits until SQL returns this. A database that is away is asked again.
    pub fn wait(&self, sql: &str, wanted: &str) {
        let mut last = String::new();
        let is_so = wait_until(LIMIT, || {
            last = self.postgres.query(sql).unwrap_or_else(|error| error.to_string());
            last == wanted
        });
        assert!(is_so, "{sql}: {last:?}, not {wanted:?}, after {LIMIT:?}; they said:\n{}", self.said());
    }

    /// Waits until processes have said this.
    pub fn wait_for_word(&self, word: &str) {
        assert!(wait_until(LIMIT, || self.said().contains(word)), "not said: {word}\n{}", self.said());
    }

    /// All that processes said so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Neither the database nor anything that was said holds an address in clear.
    pub fn keeps_secrets(&self) {
        assert!(!self.postgres.dump().unwrap().contains(MARK), "an address in the database");
        let said = self.said();
        assert!(!said.contains(MARK), "{said}");
    }
}

fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
