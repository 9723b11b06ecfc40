//! Why no component came of a project.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use mailsonde_wasm::PluginError;

use crate::plugin::{manifest::ManifestError, project::MANIFEST};

/// Why no component came of a project.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// From the system.
        source: io::Error,
    },
    /// There is nothing to compile.
    #[error("{}: there is no .{ending} file to compile", folder.display())]
    NoSource {
        /// The project.
        folder: PathBuf,
        /// Of the language's files.
        ending: &'static str,
    },
    /// There is too much to compile.
    #[error(
        "{}: there are several .{ending} files: name the first one in {MANIFEST}, such as source = \"plugin.{ending}\"",
        folder.display()
    )]
    WhichSource {
        /// The project.
        folder: PathBuf,
        /// Of the language's files.
        ending: &'static str,
    },
    /// The compiler would not find the interface.
    #[error("{}: the interface is missing; `mailsonde plugin new` writes it into each project", folder.display())]
    NoInterface {
        /// Where it should be.
        folder: PathBuf,
    },
    /// A program is needed that is not installed.
    #[error("there is no {what}: {install}")]
    Missing {
        /// The program, and what it is for.
        what: String,
        /// How to get it.
        install: String,
    },
    /// A program cannot be started.
    #[error("`{program}` cannot be started: {source}")]
    NotStarted {
        /// Its name or path.
        program: String,
        /// From the system.
        source: io::Error,
    },
    /// A program says that something is wrong, the project's source as a rule.
    #[error("`{program}` failed ({status}){}{output}", if output.is_empty() { "" } else { "; it said:\n" })]
    Failed {
        /// Its name or path.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said, unless it was seen already.
        output: String,
    },
    /// A program says that all went well, but its result is not there.
    #[error("`{program}` made no {what}")]
    NoResult {
        /// Its name or path.
        program: String,
        /// What was expected, and a hint.
        what: &'static str,
    },
    /// The bindings for C could not be generated.
    #[error("the bindings for C: {0}")]
    Bindings(String),
    /// The result is no plugin.
    #[error("{}: {error}{hint}", path.display())]
    Refused {
        /// Where it would have gone.
        path: PathBuf,
        /// What is wrong.
        error: PluginError,
        /// What may help.
        hint: &'static str,
    },
    /// The component imports more than the manifest says.
    #[error("{MANIFEST} says world = \"{manifest}\", but the component imports what is in \"{component}\"")]
    World {
        /// The manifest's.
        manifest: &'static str,
        /// The component's.
        component: &'static str,
    },
}

impl BuildError {
    /// Makes an error of what the system says of a path.
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// What helps where no component can be made of a core module. One that prints or reads files asks for WASI, which only
/// components of the other languages bring along.
pub(super) fn hint(module: &[u8]) -> &'static str {
    const WASI: &[u8] = b"wasi_snapshot_preview1";
    if module.windows(WASI.len()).any(|octets| octets == WASI) {
        "; a function of the standard library that reads, prints or exits is called: write lines with the \
         interface's `log`, and stop with a trap (`__builtin_trap`)"
    } else {
        ""
    }
}
