//! Locks of files, by which the processes that use a cluster know of each other. The kernel takes them from a process
//! that ends, however it ends. No program that we start inherits them.

use std::{
    fs::{File, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use super::error::ClusterError;

/// Longer than anything that is done in a turn may take: making a cluster, then starting it.
const TURN_WITHIN: Duration = Duration::from_mins(10);

/// The right to start or stop the cluster, which one process has at a time.
#[derive(Debug)]
pub(super) struct Turn(File);

impl Turn {
    /// Waits for it.
    ///
    /// # Errors
    /// Somebody keeps it for too long.
    pub(super) fn take(path: &Path) -> Result<Self, ClusterError> {
        let file = open(path)?;
        let (sender, locked) = mpsc::channel();
        // Locking knows no time limit. Should it come too late, the file is closed, which unlocks it.
        thread::spawn(move || {
            let locked = file.lock().map(|()| file);
            let _ = sender.send(locked);
        });
        match locked.recv_timeout(TURN_WITHIN) {
            Ok(locked) => Ok(Self(locked.map_err(ClusterError::file(path))?)),
            Err(_) => Err(ClusterError::Busy { lock: path.to_owned(), limit: TURN_WITHIN }),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Closing alone would not do while another thread is between fork and exec.
        let _ = self.0.unlock();
    }
}

/// Says that this process uses the cluster, until it is dropped.
#[derive(Debug)]
pub(super) struct Presence(File);

impl Presence {
    /// To be called, like [`Presence::is_last`], by whoever has the turn.
    ///
    /// # Errors
    /// The file cannot be made or locked.
    pub(super) fn announce(path: &Path) -> Result<Self, ClusterError> {
        let file = open(path)?;
        // Only who leaves has it for itself, and has the turn meanwhile: this does not wait.
        file.lock_shared().map_err(ClusterError::file(path))?;
        Ok(Self(file))
    }

    /// Whether nobody else is present.
    ///
    /// # Errors
    /// The kernel refuses to say.
    pub(super) fn is_last(&self) -> Result<bool, ClusterError> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(ClusterError::file("the lock of users")(error)),
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Opens or makes such a file, in a folder that nobody else can write into.
pub(super) fn open(path: &Path) -> Result<File, ClusterError> {
    let opened: io::Result<File> =
        File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    opened.map_err(ClusterError::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_last_knows_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let (first, second) = (Presence::announce(&path).unwrap(), Presence::announce(&path).unwrap());
        assert!(!first.is_last().unwrap());
        drop(first);
        assert!(second.is_last().unwrap());
    }

    #[test]
    fn turns_come_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let turn = Turn::take(&path).unwrap();
        let (sender, taken) = mpsc::channel();
        let waiting = thread::spawn({
            let path = path.clone();
            move || {
                let turn = Turn::take(&path);
                sender.send(()).unwrap();
                turn
            }
        });
        assert!(taken.recv_timeout(Duration::from_millis(50)).is_err());
        drop(turn);
        waiting.join().unwrap().unwrap();
    }
}
