//! A process that stays, `mailsonde work` or `serve`, to be killed, stopped and asked to end.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::LIMIT;
use crate::{
    mailsonde::{Mailsonde, alone},
    real::daemon::wait_until,
};

/// A running one. It is killed with the value, and with the thread that started it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// What it writes on standard output.
    lines: Mutex<mpsc::Receiver<String>>,
    said: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts one. What it says is added to `said`.
    pub(super) fn start(variables: &[(String, String)], args: &[&str], said: &Arc<Mutex<String>>) -> Self {
        // Not by `Mailsonde::new`, whose limit is a process between: the signals are for the program itself.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(Mailsonde::path()).args(args);
        alone(&mut command);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stderr, heard) = (child.stderr.take().unwrap(), said.clone());
        let listener = thread::spawn(move || {
            let mut words = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut words) {
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&words[..length]));
            }
        });
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines: Mutex::new(lines), said: said.clone(), listener: Some(listener) }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it writes on standard output.
    pub fn line(&self) -> String {
        let line = self.lines.lock().unwrap().recv_timeout(LIMIT);
        line.unwrap_or_else(|_| panic!("{}", self.said()))
    }

    /// All that it and others of its installation said so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Sends a signal, by its name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -s {name}");
    }

    /// Kills it, as the kernel does when memory is short.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub fn terminate(self, within: Duration) -> ExitStatus {
        self.signal("TERM");
        self.ended(within)
    }

    /// Waits until it has ended.
    pub fn ended(mut self, within: Duration) -> ExitStatus {
        let mut status = None;
        wait_until(within, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap_or_else(|| panic!("it has not ended within {within:?}: {}", self.said()))
    }

    /// It has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended needs none of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}
