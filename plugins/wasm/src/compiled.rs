//! Compiled code on disk, so that a plugin is compiled once and not at every start. Named by the digest of the
//! component and by what compiled it; each file begins with its own digest, since the runtime would run a damaged one.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, component::Component};

use crate::{PluginError, compiled::owner::is_ours_alone, contained::contained, limits::COMPILED_KEPT_MAX};

mod owner;

/// Octets of the digest before the code.
const DIGEST_OCTETS: usize = 32;

/// A folder of compiled components, which nobody else may write to: what lies there is run.
pub(crate) struct Compiled {
    folder: PathBuf,
}

impl Compiled {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The compiled component, whose SHA-256 is `digest`: from the folder if it is there and whole, else compiled now
    /// and kept. That it cannot be kept is a line in the log.
    pub(crate) fn load_or_compile(
        &self,
        engine: &Engine,
        component: &[u8],
        digest: &str,
    ) -> Result<Component, PluginError> {
        let path = self.path(engine, digest);
        if let Some(code) = self.read(&path)
            && let Some(loaded) = load(engine, &code)
        {
            return Ok(loaded);
        }
        let compiled = compile(engine, component)?;
        let kept = compiled.serialize().map_err(io::Error::other).and_then(|code| self.keep(&path, &code));
        if let Err(error) = kept {
            tracing::warn!("{}: compiled code is not kept: {error}", path.display());
        }
        Ok(compiled)
    }

    fn path(&self, engine: &Engine, digest: &str) -> PathBuf {
        let mut compiler = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut compiler);
        self.folder.join(format!("{digest}-{:016x}.cwasm", compiler.finish()))
    }

    /// The code in a file, if it is ours and its digest is right.
    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        // The folder first: in one that is ours alone, nobody puts another file in this one's place meanwhile.
        if !is_ours_alone(&fs::metadata(&self.folder).ok()?) {
            return None;
        }
        let mut file = fs::File::open(path).ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || !is_ours_alone(&metadata) {
            tracing::warn!("{}: others own it or may write to it; compiled anew", path.display());
            return None;
        }
        let (mut digest, mut code) = ([0; DIGEST_OCTETS], Vec::new());
        let read = file.read_exact(&mut digest).and_then(|()| file.read_to_end(&mut code));
        if read.is_ok() && Sha256::digest(&code).as_slice() == digest {
            return Some(code);
        }
        tracing::warn!("{}: damaged; compiled anew", path.display());
        None
    }

    /// Whole or not at all: under a name of its own first.
    fn keep(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        /// Several threads may compile the same component.
        static UNFINISHED: AtomicU64 = AtomicU64::new(0);
        self.make_folder()?;
        if !is_ours_alone(&fs::metadata(&self.folder)?) {
            return Err(io::Error::other("others own the folder or may write to it"));
        }
        let number = UNFINISHED.fetch_add(1, Relaxed);
        let unfinished = path.with_extension(format!("{}-{number}.new", std::process::id()));
        let kept = write(&unfinished, code).and_then(|()| fs::rename(&unfinished, path));
        if kept.is_err() {
            // Half a file is of no use, and the disk may be full.
            let _ = fs::remove_file(&unfinished);
        }
        self.remove_old();
        kept
    }

    /// Removes what is older than it is kept: each version of a plugin leaves a file. Half files of processes that were
    /// killed are among them.
    fn remove_old(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let written = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            let age = written.and_then(|written| written.elapsed().ok());
            if age.is_some_and(|age| age > COMPILED_KEPT_MAX) {
                // Another process may have been faster.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn make_folder(&self) -> io::Result<()> {
        let mut folder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.recursive(true).create(&self.folder)
    }
}

fn write(path: &Path, code: &[u8]) -> io::Result<()> {
    let mut options = fs::File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.write(true).create(true).truncate(true).open(path)?;
    file.write_all(&Sha256::digest(code))?;
    file.write_all(code)?;
    file.sync_all()
}

/// Compiles a component.
pub(crate) fn compile(engine: &Engine, component: &[u8]) -> Result<Component, PluginError> {
    contained(|| Ok(Component::from_binary(engine, component)?))
}

#[allow(unsafe_code)]
fn load(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: the octets are those that `Component::serialize` gave us: the digest says that they are whole, and that
    // they are ours follows from the file and its folder, which belong to us and to which nobody else may write. Code
    // of another engine is refused.
    unsafe { Component::deserialize(engine, code) }.ok()
}
