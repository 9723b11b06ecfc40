//! From the project of a plugin to its component: the language's own compiler makes WebAssembly, mailsonde makes a
//! component of it where the compiler does not, and looks at it as it would before loading it.
//!
//! What is built replaces an older component in one step, and only if it is right: a running mailsonde that watches the
//! file never sees half of it. Nothing is installed: what is missing is an error that says how to get it.

mod c;
mod error;
mod javascript;
mod program;
mod python;
mod rust;

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use mailsonde_wasm::{Host, Inspection, componentize};

use super::{
    manifest::{Language, Manifest},
    project::{BUILD_FOLDER, built_to, files_ending_in},
};
pub(crate) use error::BuildError;

/// Folder within the build folder for what is neither source nor result.
const INTERMEDIATE: &str = "intermediate";

/// Folder of a project that holds the interface, for compilers that read it.
pub(crate) const WIT_FOLDER: &str = "wit";

/// A project that is to be built.
struct Project {
    /// Its folder, absolute, since compilers run in it.
    folder: PathBuf,
    manifest: Manifest,
}

/// What was built.
pub(crate) struct Built {
    /// Where the component is.
    pub(crate) path: PathBuf,
    /// What it is.
    pub(crate) inspection: Inspection,
}

/// Builds the project in `folder` into `output`, or else into `build/NAME.wasm`, where NAME is the folder's. The host
/// looks at the result, and keeps its compiled code where it keeps others'.
pub(crate) fn build(host: &Host, folder: &Path, output: Option<&Path>) -> Result<Built, BuildError> {
    let manifest = Manifest::read(folder)?;
    let project = Project { folder: folder.canonicalize().map_err(BuildError::at(folder))?, manifest };
    let path = match output {
        Some(output) => output.to_owned(),
        None => built_to(folder).map_err(BuildError::at(folder))?,
    };
    let wasm = project.compile()?;
    let inspection = project.finish(host, &wasm, &path)?;
    Ok(Built { path, inspection })
}

impl Project {
    /// The compiler's result: a core module or a component, binary or text.
    fn compile(&self) -> Result<Vec<u8>, BuildError> {
        match self.manifest.language {
            Language::Rust => rust::compile(self),
            Language::C => c::compile(self),
            Language::JavaScript => javascript::compile(self),
            Language::Python => python::compile(self),
            Language::Wat => {
                let source = self.source("wat")?;
                fs::read(&source).map_err(BuildError::at(&source))
            }
        }
    }

    /// Makes a component, looks at it, and puts it into its place.
    fn finish(&self, host: &Host, wasm: &[u8], path: &Path) -> Result<Inspection, BuildError> {
        let refused = |error, hint| BuildError::Refused { path: path.to_owned(), error, hint };
        let component: Cow<'_, [u8]> =
            componentize(wasm).map_err(|error| refused(error, error::hint(wasm)))?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(BuildError::at(folder))?;
        }
        let fresh = path.with_added_extension("new");
        fs::write(&fresh, &component).map_err(BuildError::at(&fresh))?;
        let inspected = match host.inspect(&fresh) {
            Ok(inspection) => self.check_world(inspection),
            Err(error) => Err(refused(error, "")),
        };
        let placed = inspected.and_then(|inspection| {
            fs::rename(&fresh, path).map_err(BuildError::at(path))?;
            Ok(inspection)
        });
        if placed.is_err() {
            // The error that is returned says more than one about a file that cannot be removed.
            let _ = fs::remove_file(&fresh);
        }
        placed
    }

    /// The manifest must not promise less than the component asks for: its reader decides what to grant.
    fn check_world(&self, inspection: Inspection) -> Result<Inspection, BuildError> {
        let world = self.manifest.world;
        let is_within = match inspection.world {
            "pure" => true,
            "with-dns" => world.has_dns(),
            "with-cache" => world.has_cache(),
            _ => world.has_dns() && world.has_cache(),
        };
        if is_within {
            return Ok(inspection);
        }
        Err(BuildError::World { manifest: world.as_str(), component: inspection.world })
    }

    /// The source that the manifest names, or the only one with this ending.
    fn source(&self, ending: &'static str) -> Result<PathBuf, BuildError> {
        if let Some(source) = &self.manifest.source {
            return Ok(self.folder.join(source));
        }
        let mut found = files_ending_in(&self.folder, ending);
        match found.len() {
            0 => Err(BuildError::NoSource { folder: self.folder.clone(), ending }),
            1 => Ok(found.remove(0)),
            _ => Err(BuildError::WhichSource { folder: self.folder.clone(), ending }),
        }
    }

    /// An existing folder for what is neither source nor result.
    fn intermediate(&self) -> Result<PathBuf, BuildError> {
        let folder = self.folder.join(BUILD_FOLDER).join(INTERMEDIATE);
        fs::create_dir_all(&folder).map_err(BuildError::at(&folder))?;
        Ok(folder)
    }

    /// The folder with the interface.
    fn wit(&self) -> Result<PathBuf, BuildError> {
        let folder = self.folder.join(WIT_FOLDER);
        if folder.is_dir() { Ok(folder) } else { Err(BuildError::NoInterface { folder }) }
    }
}
