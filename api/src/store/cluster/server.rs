//! The server of a cluster: made by initdb, started and stopped by `pg_ctl`.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::{
    NAME,
    binaries::Binaries,
    error::ClusterError,
    folder::Folder,
    owner::Owner,
    program::{self, last_line},
    settings,
};

/// Takes seconds; this is for a slow disk, to which everything is flushed.
const MADE_WITHIN: Duration = Duration::from_mins(2);
/// Longest after a crash, when up to `max_wal_size` is replayed.
const STARTED_WITHIN: Duration = Duration::from_mins(2);
/// Writes what is in memory.
const STOPPED_WITHIN: Duration = Duration::from_mins(2);
/// Reads one small file.
const SEEN_WITHIN: Duration = Duration::from_secs(20);
/// `pg_ctl` keeps to a limit by itself, and says more than we could; it gets this much longer.
const GRACE: Duration = Duration::from_secs(10);

/// What a server says that finds processes of the last one, which was killed: they go when they notice.
const STILL_THERE: &str = "pre-existing shared memory block";
/// Between two attempts to start then.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What `pg_ctl status` ends with if no server runs.
const NOT_RUNNING: i32 = 3;

/// The programs, the user and the data of one cluster.
#[derive(Debug)]
pub(super) struct Server {
    binaries: Binaries,
    owner: Owner,
    data: PathBuf,
    notes: [PathBuf; 2],
}

/// Makes the data of a cluster: complete, or nothing that looks like it.
pub(super) fn create(server: &Server, folder: &Folder) -> Result<(), ClusterError> {
    let data = folder.begin_data(&server.owner)?;
    let mut initdb = server.command("initdb");
    initdb.arg("--pgdata").arg(&data).args(["--username", NAME]);
    // The socket's folder is the lock; names of users would add nothing. No other way leads in.
    initdb.args(["--auth-local=trust", "--auth-host=reject"]);
    initdb.args(["--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions"]);
    program::succeed(initdb, MADE_WITHIN)?;
    let path = data.join("postgresql.conf");
    let append = || {
        let mut file = OpenOptions::new().append(true).open(&path)?;
        file.write_all(settings::INCLUDE.as_bytes())?;
        file.sync_all()
    };
    append().map_err(ClusterError::file(&path))?;
    folder.finish_data()
}

impl Server {
    /// Starts nothing yet.
    pub(super) fn new(binaries: Binaries, owner: Owner, folder: &Folder) -> Self {
        Self { binaries, owner, data: folder.data(), notes: folder.notes() }
    }

    fn command(&self, program: &str) -> Command {
        self.owner.command(&self.binaries.program(program))
    }

    fn pg_ctl(&self, mode: &str, limit: Duration) -> Command {
        let mut pg_ctl = self.command("pg_ctl");
        pg_ctl.arg(mode).arg("--pgdata").arg(&self.data);
        pg_ctl.args(["--silent", "--wait", "--timeout", &limit.as_secs().to_string()]);
        pg_ctl
    }

    /// Whether a server has the data.
    pub(super) fn is_running(&self) -> Result<bool, ClusterError> {
        self.forget_the_dead()?;
        let mut pg_ctl = self.command("pg_ctl");
        pg_ctl.arg("status").arg("--pgdata").arg(&self.data);
        let (status, text) = program::run(pg_ctl, SEEN_WITHIN)?;
        match status.code() {
            Some(0) => Ok(true),
            Some(NOT_RUNNING) => Ok(false),
            _ => Err(failed("pg_ctl status", last_line(&text).unwrap_or("it was killed"))),
        }
    }

    /// A server that was killed leaves its number behind. After a restart of the machine or container that can be the
    /// number of any process of the same user, even our own; and where nobody waits for orphans, as in many a
    /// container, the dead one keeps it. Postgres would take either for a running server and not start. Where the
    /// system tells what a process is, such a note goes. That there is no second server is seen to by the shared memory
    /// too, which is found by the folder.
    fn forget_the_dead(&self) -> Result<(), ClusterError> {
        for note in &self.notes {
            let text = fs::read_to_string(note).unwrap_or_default();
            let pid = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok());
            // Empty for a process that has ended.
            let command_line = pid.and_then(|pid| fs::read(format!("/proc/{pid}/cmdline")).ok());
            let Some(command_line) = command_line else { continue };
            let mut arguments = command_line.split(|&octet| octet == 0);
            if arguments.any(|it| it == self.data.as_os_str().as_encoded_bytes()) {
                continue;
            }
            match fs::remove_file(note) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(ClusterError::file(note)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Starts the server and waits until it serves. It belongs to no terminal, so that Ctrl-C is not for it.
    pub(super) fn start(&self) -> Result<(), ClusterError> {
        let started = Instant::now();
        loop {
            match self.start_once() {
                Err(ClusterError::Failed { said, .. })
                    if said.contains(STILL_THERE) && started.elapsed() < STARTED_WITHIN =>
                {
                    thread::sleep(AGAIN_AFTER);
                }
                done => return done,
            }
        }
    }

    fn start_once(&self) -> Result<(), ClusterError> {
        // What it prints before it has its log.
        let printed = self.data.join("start.log");
        let _ = fs::remove_file(&printed);
        let mut pg_ctl = self.pg_ctl("start", STARTED_WITHIN);
        pg_ctl.arg("--log").arg(&printed);
        match program::succeed(pg_ctl, STARTED_WITHIN + GRACE) {
            Ok(_) => Ok(()),
            // It only says where one should look.
            Err(ClusterError::Failed { said, .. }) => {
                Err(failed("postgres", &self.last_words(&printed).unwrap_or(said)))
            }
            Err(error) => Err(error),
        }
    }

    /// Ends all connections, writes everything to the disk and waits for the end.
    pub(super) fn stop(&self) -> Result<(), ClusterError> {
        let mut pg_ctl = self.pg_ctl("stop", STOPPED_WITHIN);
        pg_ctl.args(["--mode", "fast"]);
        match program::succeed(pg_ctl, STOPPED_WITHIN + GRACE) {
            // It may have been dying anyway.
            Err(error) if self.is_running()? => Err(error),
            _ => Ok(()),
        }
    }

    /// Why it did not start: the last line that is about an error, of what it printed and of its newest log.
    fn last_words(&self, printed: &Path) -> Option<String> {
        let logs = fs::read_dir(self.data.join(settings::LOG)).into_iter().flatten().flatten();
        let newest = logs.max_by_key(|log| log.metadata().and_then(|about| about.modified()).ok());
        let files = newest.map(|log| log.path()).into_iter().chain([printed.to_owned()]);
        let texts: Vec<_> = files
            .filter_map(|file| Some(String::from_utf8_lossy(&fs::read(file).ok()?).into_owned()))
            .collect();
        let error = texts.iter().rev().find_map(|text| text.lines().rev().find_map(error_in));
        Some(error.or_else(|| last_line(texts.last()?))?.to_owned())
    }
}

/// What a line of the log says after the time, if that is an error.
fn error_in(line: &str) -> Option<&str> {
    ["FATAL: ", "PANIC: ", "ERROR: "].iter().find_map(|level| Some(&line[line.find(level)?..]))
}

fn failed(program: &str, said: &str) -> ClusterError {
    ClusterError::Failed { program: program.to_owned(), said: said.to_owned() }
}
