//! A served installation of a test's own.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use mailsonde_tests::{
    mailsonde::{Mailsonde, Run},
    real::{daemon::wait_until, postgres::Postgres},
};

use crate::client::{Answer, Connection};

/// What each address begins with, and nothing else does.
pub(crate) const MARK: &str = "zyxw.";

/// Nothing takes longer where all is well, on a busy machine either.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// Any key will do, as long as all processes have it.
const KEYS: &str = "0badcafe AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A database, and how the program is configured.
pub(crate) struct Site {
    pub(crate) postgres: Postgres,
    variables: Vec<(String, String)>,
    said: Arc<Mutex<String>>,
}

/// A running `mailsonde serve`. It is killed with the value, and with the thread that started it.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it writes on standard output, behind the first line.
    lines: Mutex<mpsc::Receiver<String>>,
    said: Arc<Mutex<String>>,
}

impl Site {
    /// `variables` come after the usual ones.
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let postgres = Postgres::start(&[]).unwrap();
        let usual = [
            ("MAILSONDE_DATABASE__URL", &*postgres.url()),
            ("MAILSONDE_ENCRYPTION__KEYS", KEYS),
            ("MAILSONDE_HTTP__LISTEN", "127.0.0.1:0"),
            // Nobody listens there: names are unknown at once.
            ("MAILSONDE_DNS__SERVERS", "[\"127.0.0.1:9\"]"),
            ("MAILSONDE_DNS__TIMEOUT", "200ms"),
            ("MAILSONDE_JOBS__LEASE", "2s"),
        ];
        let variables = usual.iter().chain(variables);
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { postgres, variables, said: Arc::default() }
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        Mailsonde::new(args).env(variables).run().unwrap()
    }

    /// Makes a client of this name with a key, and returns the key.
    pub(crate) fn key(&self, client: &str) -> String {
        let made = self.run(&["client", "create", client]);
        assert!(made.status.success(), "{}", made.stderr);
        let made = self.run(&["key", "create", client, "--for", "email-verifier"]);
        assert!(made.status.success(), "{}", made.stderr);
        made.stdout.trim().to_owned()
    }

    /// Starts one, which may not yet be ready.
    pub(crate) fn start(&self, args: &[&str]) -> Served {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL"])
            .arg(Mailsonde::path())
            .args(["--log", "info", "serve"])
            .args(args);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MAILSONDE_")) {
            command.env_remove(name);
        }
        command.current_dir("/").env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stderr, said) = (child.stderr.take().unwrap(), self.said.clone());
        thread::spawn(move || {
            let mut words = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut words) {
                said.lock().unwrap().push_str(&String::from_utf8_lossy(&words[..length]));
            }
        });
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let first = lines.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{}", self.said.lock().unwrap()));
        let address = first.rsplit_once("http://").unwrap().1.parse().unwrap();
        Served { child, address, lines: Mutex::new(lines), said: self.said.clone() }
    }

    /// Starts one, and waits until it is ready.
    pub(crate) fn serve(&self) -> Served {
        let served = self.start(&[]);
        served.wait_until_ready();
        served
    }
}

impl Served {
    /// The next line that it writes on standard output.
    pub(crate) fn line(&self) -> String {
        self.lines.lock().unwrap().recv_timeout(LIMIT).unwrap()
    }

    /// Waits until it says that it is ready.
    pub(crate) fn wait_until_ready(&self) {
        assert!(wait_until(LIMIT, || self.get("/readyz").status == 200), "{}", self.said());
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> Connection {
        Connection::to(self.address)
    }

    /// What it answers.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    }

    /// What it answers to octets on a connection of their own.
    pub(crate) fn ask(&self, octets: impl AsRef<[u8]>) -> Answer {
        let mut connection = self.connect();
        connection.write(octets.as_ref());
        connection.answer().expect("an answer")
    }

    /// What it answers to JSON, with these further headers.
    pub(crate) fn post(&self, path: &str, key: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
        self.ask(post(path, key, headers, body.as_ref()))
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -s {name}");
    }

    /// Waits until it has ended.
    pub(crate) fn ended(mut self, within: Duration) -> ExitStatus {
        let mut status = None;
        wait_until(within, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap_or_else(|| panic!("it has not ended within {within:?}: {}", self.said()))
    }

    /// All that it said so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request with a key and a JSON body. Each line of `headers` ends with `\r\n`.
pub(crate) fn post(path: &str, key: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut octets = head(path, key, headers, body.len()).into_bytes();
    octets.extend_from_slice(body);
    octets
}

/// Its head.
pub(crate) fn head(path: &str, key: &str, headers: &str, length: usize) -> String {
    let has_type = headers.to_ascii_lowercase().contains("content-type:");
    let media_type = if has_type { "" } else { "Content-Type: application/json\r\n" };
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nApi-Key: {key}\r\n{media_type}{headers}Content-Length: {length}\r\n\r\n"
    )
}
