//! Where a plugin's component is, when its author names the folder of the project.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::manifest::{Language, Manifest};

/// Folder of a project into which `plugin build` writes.
pub(crate) const BUILD_FOLDER: &str = "build";

/// File of a project that names its language.
pub(crate) const MANIFEST: &str = "plugin.toml";

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoComponent {
    /// There is no such file or folder.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// What was named.
        path: PathBuf,
        /// From the system.
        source: io::Error,
    },
    /// The folder holds no component.
    #[error("{}: no component is built yet: `mailsonde plugin build {}`", path.display(), path.display())]
    NotBuilt {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is no project of a plugin.
    #[error("{}: neither a component nor the folder of a plugin, which has a {MANIFEST}", path.display())]
    NoProject {
        /// The folder.
        path: PathBuf,
    },
}

/// Where the component of the project in this folder is built to.
pub(crate) fn built_to(folder: &Path) -> io::Result<PathBuf> {
    let absolute = folder.canonicalize()?;
    let name = absolute.file_name().unwrap_or("plugin".as_ref());
    Ok(folder.join(BUILD_FOLDER).join(name).with_added_extension("wasm"))
}

/// The component at `path`: the file itself, or what the project in the folder was built to; a project in WebAssembly
/// text needs no building.
pub(crate) fn component_of(path: &Path) -> Result<PathBuf, NoComponent> {
    let unreadable = |source| NoComponent::Unreadable { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(path.to_owned());
    }
    // Text runs as it is: what was built of it may be older. A folder of text alone need not be a project.
    let is_text = Manifest::read(path).map_or(true, |manifest| manifest.language == Language::Wat);
    if let [text] = &*files_ending_in(path, "wat")
        && is_text
    {
        return Ok(text.clone());
    }
    let built = built_to(path).map_err(unreadable)?;
    if built.is_file() {
        return Ok(built);
    }
    let path = path.to_owned();
    Err(if path.join(MANIFEST).is_file() {
        NoComponent::NotBuilt { path }
    } else {
        NoComponent::NoProject { path }
    })
}

/// The files of a folder with this ending, sorted; none where there is no folder.
pub(crate) fn files_ending_in(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_one = |path: &PathBuf| path.extension().is_some_and(|found| found == ending) && path.is_file();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_one).collect();
    files.sort_unstable();
    files
}
