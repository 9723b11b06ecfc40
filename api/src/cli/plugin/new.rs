//! `mailsonde plugin new`: a project for a plugin that works from the beginning.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Result;

use super::{super::Usage, NewArgs};
use crate::plugin::{Language, NewError, NewProject};

pub(super) fn run(args: &NewArgs) -> Result<()> {
    let folder = args.path.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let project = NewProject { name: args.name.clone(), language: args.lang, world: args.world, folder };
    project.write().map_err(|error| match error {
        NewError::File { .. } => anyhow::Error::new(error),
        callers => Usage(callers.to_string()).into(),
    })?;
    let folder = project.folder.display();
    let mut out = io::stdout().lock();
    writeln!(out, "{folder}: a plugin that works; {folder}/README.md says more\n\nnext:")?;
    match args.lang {
        Language::JavaScript => writeln!(out, "    npm install --prefix {folder}")?,
        Language::Python => {
            writeln!(out, "    python3 -m venv {folder}/.venv")?;
            writeln!(out, "    {folder}/.venv/bin/pip install -r {folder}/requirements.txt")?;
        }
        Language::Rust | Language::C | Language::Wat => {}
    }
    writeln!(out, "    mailsonde plugin build {folder}\n    mailsonde plugin test {folder}")?;
    Ok(())
}
