//! The key file: read, or made where there is none yet.
//!
//! A new file is written beside its place and linked into it when it is whole. A link never replaces what is there: of
//! two processes that begin at once, both end with the key of the one that was first.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use base64::Engine as _;
use chacha20poly1305::aead::{OsRng, rand_core::RngCore};

use super::{BASE64, KEY_OCTETS, KeyError, KeyId, Keyring};

/// Permissions of others than the owner.
const OTHERS: u32 = 0o077;

/// What a new file begins with.
const HEAD: &str = "\
# Keys of the store. Without them nobody can read what is in it: keep a copy elsewhere.
# The last line seals. To change the key, append a line: eight hexadecimal digits of your choice, then the output of
# `openssl rand -base64 32`. Older lines open what was sealed with them.
";

impl Keyring {
    /// Reads the key file, or makes one with a random key, for its owner alone. The folder must be there. A file that
    /// others can read is refused.
    pub(crate) fn open_or_create(path: &Path) -> Result<Self, KeyError> {
        let text = if let Some(text) = read(path)? {
            text
        } else {
            create(path)?;
            // Perhaps another process was first: what stands there is the key.
            read(path)?.ok_or_else(|| failed("open", path)(ErrorKind::NotFound.into()))?
        };
        let within = |error| KeyError::Within { path: path.to_owned(), source: Box::new(error) };
        Self::from_text(&text).map_err(within)
    }
}

/// The file's text, or none where there is no file.
fn read(path: &Path) -> Result<Option<String>, KeyError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", path)(error)),
    };
    // Of the file that was opened, not of whatever stands under its name by now.
    let mode = file.metadata().map_err(failed("open", path))?.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed("read", path))?;
    Ok(Some(text))
}

/// Makes the file unless somebody else does first.
fn create(path: &Path) -> Result<(), KeyError> {
    let draft = draft(path);
    let written = write_new(&draft).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&draft);
    written.and(removed).and_then(|()| sync_folder(path)).map_err(failed("make", path))
}

fn write_new(draft: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(HEAD.as_bytes())?;
    file.write_all(new_line().as_bytes())?;
    file.sync_all()
}

/// A name's entry is only safe from a power cut when its folder is written too.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// A name beside the file's that nobody else has.
fn draft(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:016x}.new", OsRng.next_u64()));
    name.into()
}

/// A random key under a random id.
fn new_line() -> String {
    let mut id = [0; 4];
    let mut secret = [0; KEY_OCTETS];
    OsRng.fill_bytes(&mut id);
    OsRng.fill_bytes(&mut secret);
    format!("{} {}\n", KeyId(id), BASE64.encode(secret))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::File { doing, path, source }
}

#[cfg(test)]
mod tests {
    use std::{error::Error, os::unix::fs::symlink, sync::Barrier, thread};

    use super::{
        super::tests::{keyring, line},
        *,
    };

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let made = Keyring::open_or_create(&path).unwrap();
        assert_eq!((made.ids().count(), mode(&path)), (1, 0o600));
        let text = fs::read_to_string(&path).unwrap();
        let found = Keyring::open_or_create(&path).unwrap();
        assert_eq!(found.opens(&made.check(made.current_id()).unwrap()), Ok(made.current_id()));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        let other = Keyring::open_or_create(&folder.path().join("others")).unwrap();
        assert_ne!(other.current_id(), made.current_id());
    }

    #[test]
    fn all_who_begin_at_once_end_with_one_key() {
        const MANY: usize = 8;
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("keys");
            let start = Barrier::new(MANY);
            let begin = || {
                start.wait();
                Keyring::open_or_create(&path).unwrap()
            };
            let keyrings: Vec<_> = thread::scope(|scope| {
                let processes: Vec<_> = (0..MANY).map(|_| scope.spawn(begin)).collect();
                processes.into_iter().map(|process| process.join().unwrap()).collect()
            });
            let check = keyrings[0].check(keyrings[0].current_id()).unwrap();
            assert!(keyrings.iter().all(|keys| keys.opens(&check).is_ok()));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        fs::write(&path, line("00000001", 1)).unwrap();
        for exposed in [0o640, 0o604, 0o620, 0o610] {
            fs::set_permissions(&path, fs::Permissions::from_mode(exposed)).unwrap();
            let error = Keyring::open_or_create(&path).unwrap_err();
            assert!(error.to_string().contains(&format!("mode {exposed:04o}")), "{error}");
            let linked = folder.path().join(format!("link-{exposed}"));
            symlink(&path, &linked).unwrap();
            assert!(matches!(Keyring::open_or_create(&linked), Err(KeyError::Exposed { .. })));
        }
        for private in [0o600, 0o400] {
            fs::set_permissions(&path, fs::Permissions::from_mode(private)).unwrap();
            assert!(Keyring::open_or_create(&path).is_ok());
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_files_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let private = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        private.unwrap().write_all(b"\nno key\n").unwrap();
        let error = Keyring::open_or_create(&path).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert!(error.source().unwrap().to_string().contains("line 2"), "{error:?}");
        // An empty file is not filled: it may have been a whole one before.
        fs::write(&path, "").unwrap();
        assert!(Keyring::open_or_create(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"");
        let error = Keyring::open_or_create(&folder.path().join("nowhere/keys")).unwrap_err();
        assert!(error.to_string().starts_with("cannot make the key file"), "{error}");
    }

    #[test]
    fn a_line_that_is_appended_takes_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let before = Keyring::open_or_create(&path).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(line("0000000b", 5).as_bytes()).unwrap();
        let after = Keyring::open_or_create(&path).unwrap();
        assert_eq!(after.current_id(), keyring(&[("0000000b", 5)]).current_id());
        assert!(after.opens(&before.check(before.current_id()).unwrap()).is_ok());
    }
}
