//! The folder of a cluster, and whose it has to be.
//!
//! The folder itself is ours; in it are the folder of the data and that of the socket, which are the cluster's user's
//! and closed to everybody else. As root we are somebody else than that user, so nothing of ours is written where he
//! could put a link, and our folder lets him through to his.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use nix::unistd::Uid;
use sha2::{Digest as _, Sha256};

use super::{
    error::ClusterError,
    locks,
    owner::{self, Owner},
};

/// The longest path of a socket that every system takes: macOS has 104 octets with the final zero, Linux 108.
const SOCKET_OCTETS_MAX: usize = 103;

/// The name of a socket in its folder; clients and server make it of the port.
const SOCKET: &str = ".s.PGSQL.5432";

/// For the user alone.
const PRIVATE: u32 = 0o700;
/// Others may go through, and see nothing.
const THROUGH: u32 = 0o711;

/// Where everything of a cluster is.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    socket: PathBuf,
}

impl Folder {
    /// Makes it where it is missing.
    ///
    /// # Errors
    /// It is not ours, or holds something else, or the cluster's user could not get there.
    pub(super) fn open(path: &Path, owner: &Owner) -> Result<Self, ClusterError> {
        make_all(path)?;
        // Whoever comes by another way has to find the same socket.
        let root = fs::canonicalize(path).map_err(ClusterError::file(path))?;
        let folder = Self { socket: socket_folder(&root), root };
        folder.check()?;
        if owner::is_root() {
            folder.check_way(owner)?;
        }
        // The first file: by it the folder is known for a cluster's.
        locks::open(&folder.turn())?;
        make_for(&folder.socket, owner)?;
        Ok(folder)
    }

    /// The data, once they are complete.
    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The data while they are made.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.root.join("unfinished")
    }

    /// The folder of the socket.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The files in which Postgres notes the number of the server's process, in the first line.
    pub(super) fn notes(&self) -> [PathBuf; 2] {
        [self.data().join("postmaster.pid"), self.socket.join(format!("{SOCKET}.lock"))]
    }

    /// The file that is locked by whoever has the turn.
    pub(super) fn turn(&self) -> PathBuf {
        self.root.join("turn.lock")
    }

    /// The file that everybody locks who is present.
    pub(super) fn presence(&self) -> PathBuf {
        self.root.join("presence.lock")
    }

    /// A new folder for data in the making; one that was left behind goes.
    pub(super) fn begin_data(&self, owner: &Owner) -> Result<PathBuf, ClusterError> {
        let path = self.unfinished();
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ClusterError::file(path)(error));
            }
            _ => make_for(&path, owner)?,
        }
        Ok(path)
    }

    /// What [`Folder::begin_data`] began is complete: from now on it is the cluster, whatever crashes.
    pub(super) fn finish_data(&self) -> Result<(), ClusterError> {
        let renamed = fs::rename(self.unfinished(), self.data());
        renamed.and_then(|()| File::open(&self.root)?.sync_all()).map_err(ClusterError::file(self.data()))
    }

    /// Writes the settings, complete or not at all. [`super::settings::INCLUDE`] names the file.
    pub(super) fn write_settings(&self, text: &str) -> Result<(), ClusterError> {
        let (new, path) = (self.root.join("settings.new"), self.root.join("settings.conf"));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(text.as_bytes())?;
            // The cluster's user reads it, whatever our umask.
            file.set_permissions(Permissions::from_mode(0o644))?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(ClusterError::file(&path))
    }

    /// The folder is ours, nobody else may write into it, and it holds a cluster or nothing.
    fn check(&self) -> Result<(), ClusterError> {
        let root = &self.root;
        let about = fs::metadata(root).map_err(ClusterError::file(root))?;
        let not_ours = |what| ClusterError::NotOurs { folder: root.clone(), what };
        if !about.is_dir() {
            return Err(not_ours("is no folder".to_owned()));
        }
        if about.uid() != Uid::effective().as_raw() {
            let us = Uid::effective();
            return Err(not_ours(format!("belongs to the user {}, and we are {us}", about.uid())));
        }
        if about.mode() & 0o022 != 0 {
            return Err(not_ours(format!("may be written by others (mode {:o})", about.mode() & 0o7777)));
        }
        let is_empty = fs::read_dir(root).map_err(ClusterError::file(root))?.next().is_none();
        if !is_empty && !self.turn().exists() {
            return Err(ClusterError::NotEmpty { folder: root.clone() });
        }
        fs::set_permissions(root, Permissions::from_mode(our_mode())).map_err(ClusterError::file(root))
    }

    /// The cluster's user can get to the folder. Groups and access lists are not looked at: nobody gives them to him.
    fn check_way(&self, owner: &Owner) -> Result<(), ClusterError> {
        for folder in self.root.ancestors().chain(self.socket.ancestors().skip(1)) {
            let about = fs::metadata(folder).map_err(ClusterError::file(folder))?;
            let is_his = about.uid() == owner.uid().as_raw();
            if about.mode() & if is_his { 0o100 } else { 0o001 } == 0 {
                return Err(ClusterError::Shut { user: owner.name().to_owned(), folder: folder.to_owned() });
            }
        }
        Ok(())
    }
}

fn our_mode() -> u32 {
    if owner::is_root() { THROUGH } else { PRIVATE }
}

/// Where the cluster is unless configured: in the folder of our data. For root, the cluster's user can go through that one
/// from now on, whoever made it, and for whom: what else is in it is closed by itself.
///
/// # Errors
/// The system does not let us.
pub(crate) fn within(data_folder: &Path) -> Result<PathBuf, ClusterError> {
    make_all(data_folder)?;
    if owner::is_root() {
        let about = fs::metadata(data_folder).map_err(ClusterError::file(data_folder))?;
        let through = Permissions::from_mode(about.mode() | THROUGH);
        fs::set_permissions(data_folder, through).map_err(ClusterError::file(data_folder))?;
    }
    Ok(data_folder.join("postgres"))
}

/// Makes a folder and what is missing above it, with the mode of ours.
fn make_all(path: &Path) -> Result<(), ClusterError> {
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_all(parent)?;
    }
    match DirBuilder::new().mode(PRIVATE).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(our_mode())),
        // Another process is making it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
    .map_err(ClusterError::file(path))
}

/// Where the socket is: in the folder, or where that makes too long a path, at a place that follows from the folder.
/// It is not in `$XDG_RUNTIME_DIR`, which goes when its user logs out, and which not every session has.
fn socket_folder(root: &Path) -> PathBuf {
    let near = root.join("socket");
    if near.join(SOCKET).as_os_str().len() <= SOCKET_OCTETS_MAX {
        return near;
    }
    let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
    let short = digest.iter().take(4).fold(0, |number, &octet| number << 8 | u32::from(octet));
    if owner::is_root() {
        format!("/run/mailsonde-{short:08x}").into()
    } else {
        format!("/tmp/mailsonde-{}-{short:08x}", Uid::effective()).into()
    }
}

/// Makes a folder for the cluster's user alone, or sees to it that it is one.
fn make_for(path: &Path, owner: &Owner) -> Result<(), ClusterError> {
    match DirBuilder::new().mode(PRIVATE).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(ClusterError::file(path)(error));
        }
        _ => {}
    }
    // Not of what a link leads to: in /tmp anybody may have put one there.
    let about = fs::symlink_metadata(path).map_err(ClusterError::file(path))?;
    let not_ours = |what| ClusterError::NotOurs { folder: path.to_owned(), what };
    if !about.is_dir() {
        return Err(not_ours("is no folder".to_owned()));
    }
    if about.mode() & 0o077 != 0 {
        return Err(not_ours(format!("is open to others (mode {:o})", about.mode() & 0o7777)));
    }
    if about.uid() == owner.uid().as_raw() {
        return Ok(());
    }
    // Made by us, just now or before a crash.
    if owner::is_root() && about.uid() == Uid::effective().as_raw() {
        return chown(path, Some(owner.uid().as_raw()), Some(owner.gid().as_raw()))
            .map_err(ClusterError::file(path));
    }
    Err(not_ours(format!("belongs to the user {}, not {}", about.uid(), owner.uid())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_paths_have_their_socket_elsewhere_and_always_at_the_same_place() {
        assert_eq!(socket_folder(Path::new("/home/jane/pg")), Path::new("/home/jane/pg/socket"));
        let long = PathBuf::from("/").join("d".repeat(90));
        let elsewhere = socket_folder(&long);
        assert!(elsewhere.join(SOCKET).as_os_str().len() < 50, "{elsewhere:?}");
        assert_eq!(socket_folder(&long), elsewhere);
        assert_ne!(socket_folder(&long.join("x")), elsewhere);
    }

    #[test]
    fn a_folder_for_the_cluster_is_nobody_elses() {
        let owner = Owner::of_tests();
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("socket");
        make_for(&path, &owner).unwrap();
        make_for(&path, &owner).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, PRIVATE);
        assert_eq!(fs::metadata(&path).unwrap().uid(), owner.uid().as_raw());

        fs::set_permissions(&path, Permissions::from_mode(0o750)).unwrap();
        let error = make_for(&path, &owner).unwrap_err().to_string();
        assert!(error.contains("is open to others (mode 750)"), "{error}");

        let link = parent.path().join("link");
        std::os::unix::fs::symlink(parent.path(), &link).unwrap();
        let error = make_for(&link, &owner).unwrap_err().to_string();
        assert!(error.contains("is no folder"), "{error}");
    }

    #[test]
    fn other_things_in_the_folder_are_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), Permissions::from_mode(0o755)).unwrap();
        fs::write(parent.path().join("letter"), "").unwrap();
        let error = Folder::open(parent.path(), &Owner::of_tests()).unwrap_err();
        assert!(matches!(error, ClusterError::NotEmpty { .. }), "{error}");
        assert_eq!(fs::metadata(parent.path()).unwrap().mode() & 0o777, 0o755);
    }
}
