//! Programs that run for a limited time.

use std::{
    io::{self, Read as _},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use super::error::ClusterError;

/// Runs a program to its end, and returns how it ended with all that it printed.
///
/// # Errors
/// It cannot be started, or it takes longer than `limit`: then it is killed.
pub(super) fn run(mut command: Command, limit: Duration) -> Result<(ExitStatus, String), ClusterError> {
    let name =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |error: io::Error| ClusterError::Failed { program: name.clone(), said: error.to_string() };
    let (mut reader, writer) = io::pipe().map_err(failed)?;
    let errors = writer.try_clone().map_err(failed)?;
    let mut child = command.stdin(Stdio::null()).stdout(writer).stderr(errors).spawn().map_err(failed)?;
    // Our ends of the pipe, so that it closes when the program ends.
    drop(command);
    let (sender, printed) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = reader.read_to_end(&mut text);
        let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
    });
    if let Ok(text) = printed.recv_timeout(limit) {
        return Ok((child.wait().map_err(failed)?, text));
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(ClusterError::TimedOut { program: name, limit })
}

/// Runs a program that has to succeed, and returns what it printed.
///
/// # Errors
/// As [`run`]; or it fails, with the last line that it printed.
pub(super) fn succeed(command: Command, limit: Duration) -> Result<String, ClusterError> {
    let program =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (status, text) = run(command, limit)?;
    if status.success() {
        return Ok(text);
    }
    let said = last_line(&text).map_or_else(|| status.to_string(), str::to_owned);
    Err(ClusterError::Failed { program, said })
}

/// The last line that says something.
pub(super) fn last_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_is_told_by_the_last_line() {
        let error = succeed(sh("echo first; echo the cause >&2; echo; exit 3"), Duration::from_secs(20));
        assert_eq!(error.unwrap_err().to_string(), "sh: the cause");
        let error = succeed(sh("exit 3"), Duration::from_secs(20)).unwrap_err();
        assert_eq!(error.to_string(), "sh: exit status: 3");
    }

    #[test]
    fn what_takes_too_long_is_ended() {
        let started = Instant::now();
        let error = run(sh("exec sleep 600"), Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.to_string(), "sh: not done within 50ms");
        assert!(started.elapsed() < Duration::from_mins(1));
    }
}
