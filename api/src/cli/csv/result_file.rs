//! The file of results, while it is made: `OUT.part`, and beside it `OUT.part.json`, which says what it comes from
//! and how far it is. Both become `OUT` when it is whole.
//!
//! What was written and not noted is cut off when somebody goes on, and verified again. So nothing is lost but a
//! second of work, whenever the process is killed, and no row is written twice.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::super::Usage;

/// How often is noted how far it is.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Version of the note; raised when an older one means something else.
const VERSION: u32 = 1;

/// How many rows of each category there are.
pub(super) type Counts = BTreeMap<String, u64>;

/// What a result comes from. One that comes from something else cannot be gone on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// Of the table, in Base64.
    pub(super) sha256: String,
    /// The column of addresses, where somebody said which.
    pub(super) column: Option<String>,
    /// The pipeline.
    pub(super) pipeline: String,
    /// What was switched.
    pub(super) switches: Vec<String>,
    /// Which addresses count as valid, where somebody said so.
    pub(super) syntax_policy: Option<String>,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    version: u32,
    origin: Origin,
    rows: u64,
    octets: u64,
    counts: Counts,
}

/// A result that is made.
pub(super) struct ResultFile {
    path: PathBuf,
    part: PathBuf,
    note_path: PathBuf,
    out: BufWriter<File>,
    note: Note,
    /// When it was noted last how far it is.
    saved: Option<Instant>,
}

impl ResultFile {
    /// Goes on where an earlier run was interrupted; begins anew where there was none, or with `restart`.
    ///
    /// # Errors
    /// There is one of something else, or somebody is at it.
    pub(super) fn open(path: &Path, origin: Origin, restart: bool) -> Result<Self> {
        let (part, note_path) = (beside(path, ".part"), beside(path, ".part.json"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&part);
        let file = file.map_err(|error| Usage(format!("{}: {error}", part.display())))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Usage(format!("{}: another process is at it", part.display())).into());
            }
            Err(TryLockError::Error(error)) => return Err(error).context("locking"),
        }
        let fresh = Note { version: VERSION, origin, rows: 0, octets: 0, counts: Counts::new() };
        let note = if restart { None } else { found(&note_path, &file)? };
        let note = match note {
            Some(note) if (note.version, &note.origin) != (VERSION, &fresh.origin) => {
                let message = "is of another table or other options; remove it, or begin anew with --restart";
                return Err(Usage(format!("{}: {message}", part.display())).into());
            }
            Some(note) => note,
            None => {
                remove_if_there(&note_path)?;
                fresh
            }
        };
        file.set_len(note.octets)?;
        let mut out = BufWriter::new(file);
        out.seek(SeekFrom::Start(note.octets))?;
        Ok(Self { path: path.to_owned(), part, note_path, out, note, saved: None })
    }

    /// Rows that are written.
    pub(super) fn rows(&self) -> u64 {
        self.note.rows
    }

    /// Writes what stands before the rows, into a file that is empty.
    pub(super) fn begin(&mut self, head: &[u8]) -> Result<()> {
        self.out.get_ref().set_len(0)?;
        self.out.seek(SeekFrom::Start(0))?;
        self.note.octets = 0;
        self.write(head).with_context(|| self.part.display().to_string())
    }

    /// Appends rows of these categories. What could not be written is not counted.
    pub(super) fn append<'c>(
        &mut self,
        rows: &[u8],
        categories: impl Iterator<Item = &'c str>,
    ) -> io::Result<()> {
        self.write(rows)?;
        for category in categories {
            self.note.rows += 1;
            match self.note.counts.get_mut(category) {
                Some(count) => *count += 1,
                None => drop(self.note.counts.insert(category.to_owned(), 1)),
            }
        }
        let is_due = self.saved.is_none_or(|saved| saved.elapsed() >= SAVE_EVERY);
        if is_due { self.save() } else { Ok(()) }
    }

    /// Notes how far it is, once what is noted is on the disk.
    pub(super) fn save(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_data()?;
        let new = beside(&self.note_path, ".new");
        let mut file = File::create(&new)?;
        serde_json::to_writer(&mut file, &self.note)?;
        file.sync_data()?;
        fs::rename(&new, &self.note_path)?;
        self.saved = Some(Instant::now());
        Ok(())
    }

    /// It is whole: gives it its name, and says how many rows of each category it has.
    pub(super) fn finish(mut self) -> Result<Counts> {
        self.out.flush()?;
        self.out.get_ref().sync_data()?;
        fs::rename(&self.part, &self.path).with_context(|| self.path.display().to_string())?;
        fs::remove_file(&self.note_path)?;
        Ok(self.note.counts)
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.out.write_all(octets)?;
        self.note.octets += octets.len() as u64;
        Ok(())
    }
}

/// The note of an earlier run, if there was one and what it tells of is there.
fn found(path: &Path, part: &File) -> Result<Option<Note>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| path.display().to_string())?,
    };
    let note: Note = serde_json::from_slice(&text).map_err(|_| {
        Usage(format!("{}: cannot be read; remove it, or begin anew with --restart", path.display()))
    })?;
    Ok(Some(note).filter(|note| part.metadata().is_ok_and(|part| part.len() >= note.octets)))
}

/// A note of what is not there any more.
fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
