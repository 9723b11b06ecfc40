//! `mailsonde serve`, and what it answers.

use std::{net::SocketAddr, process::ExitStatus, time::Duration};

use serde_json::Value;

use super::{
    LIMIT, Site,
    client::{self, Answer, Connection},
    process::Process,
};
use crate::real::daemon::wait_until;

/// A running one. It is killed with the value, and with the thread that started it.
#[derive(Debug)]
pub struct Served {
    process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Site {
    /// Makes a client of this name with a key of Email Verifier, and returns the key.
    pub fn key(&self, client: &str) -> String {
        self.print(&["client", "create", client]);
        self.key_of(client)
    }

    /// Makes another key for a client.
    pub fn key_of(&self, client: &str) -> String {
        self.print(&["key", "create", client, "--for", "email-verifier"])
    }

    /// Starts one, which may not yet be ready.
    pub fn start(&self, args: &[&str]) -> Served {
        let args: Vec<&str> = ["--log", "info", "serve"].iter().chain(args).copied().collect();
        self.listening(&args)
    }

    /// Starts one that only works, and can be watched.
    pub fn watched_worker(&self) -> Served {
        self.listening(&["work", "--listen", "127.0.0.1:0"]).ready()
    }

    fn listening(&self, args: &[&str]) -> Served {
        let process = self.start_process(args);
        let first = process.line();
        let address = first.rsplit_once("http://").unwrap().1.parse().unwrap();
        Served { process, address }
    }

    /// Starts one, and waits until it is ready.
    pub fn serve(&self) -> Served {
        self.start(&[]).ready()
    }

    /// The same, but it does not work at jobs.
    pub fn serve_only(&self) -> Served {
        self.start(&["--no-work"]).ready()
    }
}

impl Served {
    /// The next line that it writes on standard output.
    pub fn line(&self) -> String {
        self.process.line()
    }

    /// Waits until it says that it is ready.
    pub fn wait_until_ready(&self) {
        let is_ready = || client::ask(self.address, READY).is_some_and(|answer| answer.status == 200);
        assert!(wait_until(LIMIT, is_ready), "{}", self.said());
    }

    fn ready(self) -> Self {
        self.wait_until_ready();
        self
    }

    /// A connection to it.
    pub fn connect(&self) -> Connection {
        Connection::to(self.address)
    }

    /// What it answers to whoever has no key.
    pub fn get(&self, path: &str) -> Answer {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    }

    /// What it answers to whoever has no key and wants no body.
    pub fn head(&self, path: &str) -> Answer {
        let mut connection = self.connect();
        connection.write(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes());
        connection.answer_to_head().unwrap_or_else(|| panic!("no answer: {}", self.said()))
    }

    /// What it answers to whoever has this key.
    pub fn fetch(&self, path: &str, key: &str) -> Answer {
        self.ask(client::get(path, key))
    }

    /// What it answers to octets on a connection of their own.
    pub fn ask(&self, octets: impl AsRef<[u8]>) -> Answer {
        client::ask(self.address, octets).unwrap_or_else(|| panic!("no answer: {}", self.said()))
    }

    /// What it answers to JSON, with these further headers.
    pub fn post(&self, path: &str, key: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
        self.ask(client::post(path, key, headers, body.as_ref()))
    }

    /// Submits a batch, which must be taken. Returns its id.
    pub fn submit(&self, key: &str, body: &Value) -> String {
        let accepted = self.post("/api/v1/verify/batch", key, "", body.to_string());
        assert_eq!(accepted.status, 202, "{accepted:?}");
        accepted.json()["job_id"].as_str().unwrap().to_owned()
    }

    /// Uploads a table, which must be taken. Returns the id of its job.
    pub fn upload(&self, key: &str, table: impl AsRef<[u8]>) -> String {
        let accepted = self.ask(client::upload(key, "", table.as_ref()));
        assert_eq!(accepted.status, 202, "{accepted:?}");
        accepted.json()["job_id"].as_str().unwrap().to_owned()
    }

    /// Sends a signal, by its name.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Kills it, as the kernel does when memory is short.
    pub fn kill(self) {
        self.process.kill();
    }

    /// Waits until it has ended.
    pub fn ended(self, within: Duration) -> ExitStatus {
        self.process.ended(within)
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// It has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.process.is_alive()
    }

    /// All that the processes of its installation said so far.
    pub fn said(&self) -> String {
        self.process.said()
    }
}

const READY: &str = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
