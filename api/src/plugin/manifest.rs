//! `plugin.toml`: what the project of a plugin says of itself. It is for building alone: the component that comes of it
//! needs none.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use serde::Deserialize;

use super::project::MANIFEST;

/// In which language a plugin is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    /// Rust, with the crate wit-bindgen
    Rust,
    /// C, with clang or zig
    C,
    /// JavaScript
    #[value(name = "js", alias = "javascript", help = "JavaScript, on QuickJS")]
    #[serde(alias = "js")]
    JavaScript,
    /// Python
    #[value(help = "Python, on CPython")]
    Python,
    /// WebAssembly text
    #[value(skip)]
    Wat,
}

impl Language {
    /// Its name in a manifest.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::JavaScript => "javascript",
            Self::Python => "python",
            Self::Wat => "wat",
        }
    }
}

/// What a plugin may import: the worlds of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum World {
    /// Only computes
    Pure,
    /// Asks DNS
    WithDns,
    /// Remembers
    WithCache,
    /// Asks DNS and remembers
    Full,
}

impl World {
    /// Its name in the interface.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::WithDns => "with-dns",
            Self::WithCache => "with-cache",
            Self::Full => "full",
        }
    }

    /// Whether a component of this world may ask DNS.
    pub(crate) const fn has_dns(self) -> bool {
        matches!(self, Self::WithDns | Self::Full)
    }

    /// Whether a component of this world may remember.
    pub(crate) const fn has_cache(self) -> bool {
        matches!(self, Self::WithCache | Self::Full)
    }
}

/// The contents of `plugin.toml`.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// In which language the plugin is written.
    pub(crate) language: Language,
    /// What it may import.
    pub(crate) world: World,
    /// The file to begin with, in the folder of the project, where there are several: JavaScript, Python and WAT.
    pub(crate) source: Option<PathBuf>,
}

/// What is wrong with a `plugin.toml`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    /// It is not there, or cannot be read.
    #[error("{}: {source}: the folder of a plugin has a {MANIFEST}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// From the system.
        source: io::Error,
    },
    /// It says something else than a manifest says.
    #[error("{}:{line}: {message}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

impl Manifest {
    /// Reads the manifest of the project in `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self, ManifestError> {
        let path = folder.join(MANIFEST);
        match fs::read_to_string(&path) {
            Ok(text) => {
                Self::parse(&text).map_err(|(line, message)| ManifestError::Wrong { path, line, message })
            }
            Err(source) => Err(ManifestError::Unreadable { path, source }),
        }
    }

    /// An error is a line and what is wrong there.
    fn parse(text: &str) -> Result<Self, (usize, String)> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let message: Vec<_> = error.message().lines().map(str::trim).collect();
            (before.matches('\n').count() + 1, message.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_language_and_world() {
        let manifest = Manifest::parse("language = \"javascript\"\nworld = \"with-dns\"\n").unwrap();
        let expected = Manifest { language: Language::JavaScript, world: World::WithDns, source: None };
        assert_eq!(manifest, expected);
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let (line, message) = Manifest::parse("language = \"c\"\nworld = \"all\"\n").unwrap_err();
        assert_eq!(line, 2);
        assert!(message.contains("`all`") && message.contains("`with-cache`"), "{message}");
        let (line, message) =
            Manifest::parse("language = \"c\"\nworld = \"pure\"\nsorce = \"a.c\"").unwrap_err();
        assert_eq!(line, 3);
        assert!(message.contains("`sorce`"), "{message}");
    }
}
