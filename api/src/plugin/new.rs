//! A project for a new plugin: a small check that works, its cases, the interface, and what its author must know.
//!
//! Nothing is overwritten and nothing is installed. The texts are in `templates/`.

mod template;

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use mailsonde_engine::Finding;
use mailsonde_wasm::WIT;

use super::{
    build::WIT_FOLDER,
    cases::CASES,
    manifest::{Language, World},
    project::MANIFEST,
};
use crate::assembly::STAGES;

/// Octets of a name: it becomes part of the keys of facts and of file names.
const NAME_OCTETS_MAX: usize = 40;

/// What every language's project has.
const COMMON: &[(&str, &str)] = &[
    (MANIFEST, include_str!("templates/plugin.toml")),
    (CASES, include_str!("templates/cases.toml")),
    ("README.md", include_str!("templates/README.md")),
    (".gitignore", include_str!("templates/gitignore")),
];

/// A project that is to be written.
pub(crate) struct NewProject {
    /// The plugin's id, and the name of its stage in the README.
    pub(crate) name: String,
    /// In which language.
    pub(crate) language: Language,
    /// What it may import.
    pub(crate) world: World,
    /// Where to; made if it is not there.
    pub(crate) folder: PathBuf,
}

/// Why no project was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NewError {
    /// The name is none for a plugin.
    #[error(
        "`{0}` is no name for a plugin: up to {NAME_OCTETS_MAX} lower-case letters, digits and single hyphens, a \
         letter first, such as acme-blocklist"
    )]
    Name(String),
    /// mailsonde itself has something of that name.
    #[error("`{0}` is taken: mailsonde has facts or a stage of that name; such as acme-{0} is free")]
    Taken(String),
    /// There is something already.
    #[error("{}: there is something already, and nothing is overwritten; --path names another folder", .0.display())]
    NotEmpty(PathBuf),
    /// A file or folder cannot be written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// From the system.
        source: io::Error,
    },
}

impl NewProject {
    /// Writes the project.
    pub(crate) fn write(&self) -> Result<(), NewError> {
        check_name(&self.name)?;
        if !is_free(&self.folder).map_err(at(&self.folder))? {
            return Err(NewError::NotEmpty(self.folder.clone()));
        }
        let (values, flags) = (self.values(), self.flags());
        for (name, text) in COMMON.iter().chain(sources(self.language)) {
            write_new(&self.folder.join(name), &template::expand(text, &values, &flags))?;
        }
        for (name, text) in WIT {
            write_new(&self.folder.join(WIT_FOLDER).join(name), text)?;
        }
        Ok(())
    }

    /// What stands for the words between `@` in the templates.
    fn values(&self) -> HashMap<&'static str, String> {
        let folder = self.folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let servers = if self.world.has_dns() { ", name_servers = [\"ns1.bad-host.example\"]" } else { "" };
        let source = sources(self.language).last().map_or("", |(name, _)| name);
        let grants: Vec<String> = self.grants().iter().map(|grant| format!("\"{grant}\"")).collect();
        HashMap::from([
            ("NAME", self.name.clone()),
            ("FOLDER", folder.unwrap_or_else(|| self.name.clone())),
            ("LANGUAGE", self.language.as_str().to_owned()),
            ("WORLD", self.world.as_str().to_owned()),
            ("SOURCE", source.to_owned()),
            ("GRANTS", grants.join(", ")),
            ("SERVERS", servers.to_owned()),
        ])
    }

    /// What it must be granted.
    fn grants(&self) -> Vec<&'static str> {
        let all = [("dns", self.world.has_dns()), ("cache", self.world.has_cache())];
        all.into_iter().filter(|(_, is_granted)| *is_granted).map(|(grant, _)| grant).collect()
    }

    /// Which parts of the templates are written.
    fn flags(&self) -> Vec<&'static str> {
        let mut flags = self.grants();
        if !flags.is_empty() {
            flags.push("grants");
        }
        flags.push(self.language.as_str());
        flags
    }
}

/// The files of a language; the last is the source that its author begins with.
fn sources(language: Language) -> &'static [(&'static str, &'static str)] {
    match language {
        Language::Rust => &[
            ("Cargo.toml", include_str!("templates/rust/Cargo.toml")),
            ("src/lib.rs", include_str!("templates/rust/lib.rs")),
        ],
        Language::C => &[("check.c", include_str!("templates/c/check.c"))],
        Language::JavaScript => &[
            ("package.json", include_str!("templates/js/package.json")),
            ("check.js", include_str!("templates/js/check.js")),
        ],
        Language::Python => &[
            ("requirements.txt", include_str!("templates/python/requirements.txt")),
            ("check.py", include_str!("templates/python/check.py")),
        ],
        // Nobody can be asked to begin with it: the command line does not offer it.
        Language::Wat => &[],
    }
}

fn check_name(name: &str) -> Result<(), NewError> {
    let is_of_letters = |part: &str| {
        !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit())
    };
    let begins_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    if !begins_well || name.len() > NAME_OCTETS_MAX || !name.split('-').all(is_of_letters) {
        return Err(NewError::Name(name.to_owned()));
    }
    let has_facts = Finding::KEYS.iter().any(|key| key.split('.').next() == Some(name));
    if has_facts || STAGES.iter().any(|stage| stage.name == name) {
        return Err(NewError::Taken(name.to_owned()));
    }
    Ok(())
}

/// Whether nothing is there, or an empty folder.
fn is_free(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
}

fn write_new(path: &Path, text: &str) -> Result<(), NewError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(at(folder))?;
    }
    let write = || OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes());
    write().map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> NewError {
    move |source| NewError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_prefix_of_facts() {
        for good in ["acme", "acme-blocklist", "a1-2"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "Acme", "1a", "-a", "a-", "a--b", "a_b", "a.b", "../a", &"a".repeat(41)] {
            assert!(matches!(check_name(bad), Err(NewError::Name(_))), "{bad}");
        }
        for taken in ["dns", "smtp", "random-pattern", "role"] {
            assert!(matches!(check_name(taken), Err(NewError::Taken(_))), "{taken}");
        }
    }

    #[test]
    fn no_template_has_a_word_that_is_left_open() {
        for language in [Language::Rust, Language::C, Language::JavaScript, Language::Python] {
            for world in [World::Pure, World::WithDns, World::WithCache, World::Full] {
                let project = NewProject { name: "acme".into(), language, world, folder: "acme".into() };
                for (name, text) in COMMON.iter().chain(sources(language)) {
                    let text = template::expand(text, &project.values(), &project.flags());
                    let is_open = |word: &str| word.len() > 1 && word.bytes().all(|c| c.is_ascii_uppercase());
                    assert!(!text.split('@').skip(1).any(is_open), "{language:?} {world:?} {name}");
                    assert!(!text.contains("@if") && !text.contains("@end"), "{language:?} {world:?} {name}");
                    assert!(
                        world.has_cache() || !text.contains("first-seen"),
                        "{language:?} {world:?} {name}"
                    );
                }
            }
        }
    }
}
