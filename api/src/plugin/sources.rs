//! The sources of a plugin's project, as far as a glance at the folder tells: whether its component may be older than they
//! are. What is built, and from what, only the compilers know.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    manifest::{Language, Manifest},
    project::BUILD_FOLDER,
};

/// Folders of a project in which others than its author write.
const FOREIGN: &[&str] = &[BUILD_FOLDER, "target", "node_modules"];

/// The newest source of the project in this folder, if it is newer than the component.
pub(crate) fn newer_than(component: &Path, folder: &Path) -> Option<PathBuf> {
    let language = Manifest::read(folder).ok()?.language;
    let built = fs::metadata(component).ok()?.modified().ok()?;
    let mut sources = Vec::new();
    find(folder, language, FOREIGN, &mut sources);
    let (changed, source) = sources.into_iter().max()?;
    (changed > built).then_some(source)
}

/// Collects the sources below a folder, and when each was changed. Links are not followed: they may go round.
fn find(folder: &Path, language: Language, foreign: &[&str], found: &mut Vec<(SystemTime, PathBuf)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        let (name, path) = (entry.file_name(), entry.path());
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        if metadata.is_dir() && !is_hidden && !foreign.iter().any(|folder| name == *folder) {
            find(&path, language, &[], found);
        } else if metadata.is_file()
            && is_source(language, &path)
            && let Ok(changed) = metadata.modified()
        {
            found.push((changed, path));
        }
    }
}

fn is_source(language: Language, file: &Path) -> bool {
    let ends_in = |endings: &[&str]| {
        file.extension().is_some_and(|found| endings.iter().any(|ending| found == *ending))
    };
    match language {
        Language::Rust => ends_in(&["rs"]) || file.ends_with("Cargo.toml"),
        Language::C => ends_in(&["c", "h"]),
        Language::JavaScript => ends_in(&["js", "mjs"]),
        Language::Python => ends_in(&["py"]),
        // The text itself is what runs.
        Language::Wat => false,
    }
}
