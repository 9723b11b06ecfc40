//! A process that works, `mailsonde work`, to be killed, stopped and asked to end.

use std::{
    io::Read as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use mailsonde_tests::{mailsonde::Mailsonde, real::daemon::wait_until};

/// A running one. It is killed with the value, and with the thread that started it.
pub(crate) struct Worker {
    child: Child,
    listener: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts one. What it says is added to `said`.
    pub(crate) fn start(variables: &[(String, String)], said: &Arc<Mutex<String>>) -> Self {
        // Not by `Mailsonde::new`, whose limit is a process between: the signals are for the program itself.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(Mailsonde::path()).args(["--log", "debug", "work"]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MAILSONDE_")) {
            command.env_remove(name);
        }
        command.current_dir("/").env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME");
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stderr, said) = (child.stderr.take().unwrap(), said.clone());
        let listener = thread::spawn(move || {
            let mut words = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut words) {
                said.lock().unwrap().push_str(&String::from_utf8_lossy(&words[..length]));
            }
        });
        Self { child, listener: Some(listener) }
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -s {name}");
    }

    /// Kills it, as the kernel does when memory is short.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(self, within: Duration) -> ExitStatus {
        self.signal("TERM");
        self.ended(within)
    }

    /// Waits until it has ended.
    pub(crate) fn ended(mut self, within: Duration) -> ExitStatus {
        let mut status = None;
        wait_until(within, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap_or_else(|| panic!("it has not ended within {within:?}"))
    }

    /// It has not ended.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that has ended needs none of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}
