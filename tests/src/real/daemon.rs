//! One server program, its folder, and the promise that both are gone when the tests are.
//!
//! A process that is killed runs no destructor, and neither does a static at a normal exit. So each server
//! has a supervisor: a shell that reads a pipe from us. When the pipe closes, whatever closed it, the shell
//! kills the server's process group and removes its folder.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// A server is up within a second on an idle machine; this is for a busy one.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Between two looks at something that is about to happen.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// `$0` is the folder, `"$@"` the command. `setsid` makes a process group of the server and its children; if it
/// had no time to, its process alone is killed. SIGKILL, because nothing in the folder is worth an orderly end.
const SUPERVISOR: &str = r#"
setsid sh -c '"$@"; echo "exit status $?" >"$0/ended"' "$0" "$@" & group=$!
cat >/dev/null
kill -KILL "-$group" || kill -KILL "$group"
wait "$group"
rm -rf "$0" || { sleep 0.2; rm -rf "$0"; }
"#;

/// A running server. Dropping it ends the server and removes its folder.
#[derive(Debug)]
pub struct Daemon {
    supervisor: Child,
    folder: PathBuf,
}

impl Daemon {
    /// Starts `program`, which has to stay in the foreground; what it prints goes into a file in `folder`.
    pub fn start<A: AsRef<OsStr>>(folder: &Folder, program: &str, args: &[A]) -> Result<Self> {
        let output = File::create(folder.path.join("output")).context("the server's output file")?;
        let supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR])
            .arg(&folder.path)
            .arg(program)
            .args(args)
            .process_group(0) // a Ctrl-C at the terminal must not end the supervisor before its work
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("starting sh")?;
        Ok(Self { supervisor, folder: folder.path.clone() })
    }

    /// Waits until `ready` says so. An error, with all the server printed, if it ends first or takes too long.
    pub fn wait_until_ready(&self, mut ready: impl FnMut() -> bool) -> Result<()> {
        let said = |file| fs::read_to_string(self.folder.join(file));
        let mut is_ready = false;
        let is_settled = wait_until(READY_WITHIN, || {
            is_ready = ready();
            is_ready || said("ended").is_ok()
        });
        if is_ready {
            return Ok(());
        }
        let how = if is_settled { said("ended")? } else { format!("not ready within {READY_WITHIN:?}") };
        bail!("{how}: {}", said("output").unwrap_or_default());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// A new folder that only one server uses. Its [`Daemon`] removes it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Creates a folder for the server called `name`, under a name that no other test process uses.
    pub fn create(name: &str) -> Result<Self> {
        let temp = std::env::temp_dir();
        for attempt in 0..1000 {
            let path = temp.join(format!("mailsonde-lab-{}-{name}-{attempt}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("creating {}", path.display())),
            }
        }
        bail!("no free name for a folder in {}", temp.display());
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file into it and returns its path.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}

/// Looks at `condition` again and again until it holds (true) or the time is up (false).
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if started.elapsed() > limit {
            return false;
        }
        thread::sleep(LOOK_AGAIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_before_time_is_an_error_that_says_why() {
        let folder = Folder::create("fails").unwrap();
        let daemon = Daemon::start(&folder, "sh", &["-c", "echo no such port; exit 3"]).unwrap();
        let error = daemon.wait_until_ready(|| false).unwrap_err().to_string();
        assert!(error.contains("exit status 3") && error.contains("no such port"), "{error}");
    }

    #[test]
    fn neither_processes_nor_folder_outlive_the_value() {
        let folder = Folder::create("stays").unwrap();
        let child = folder.path.join("child");
        // A server with a child; both ignore all signals that can be ignored.
        let script = "trap '' HUP INT TERM; sleep 600 & echo $! >\"$0\"; wait";
        let args = ["-c".as_ref(), script.as_ref(), child.as_os_str()];
        let daemon = Daemon::start(&folder, "sh", &args).unwrap();
        daemon.wait_until_ready(|| fs::read_to_string(&child).is_ok_and(|pid| pid.ends_with('\n'))).unwrap();
        let pid = fs::read_to_string(&child).unwrap();
        let command_line = Path::new("/proc").join(pid.trim()).join("cmdline");
        // The child has its number before it has become the command.
        assert!(wait_until(READY_WITHIN, || fs::read(&command_line).unwrap().starts_with(b"sleep")));

        drop(daemon);
        assert!(!folder.path.exists());
        // Empty for a process that is dead but not yet waited for.
        assert!(wait_until(READY_WITHIN, || fs::read(&command_line).unwrap_or_default().is_empty()));
    }
}
