//! `mailsonde config`: whether the configuration is right, and what it comes to.

use std::{
    io::{self, Write},
    path::Path,
};

use anyhow::Result;
use mailsonde_config::Settings;

use super::args::ConfigCommand;
use crate::assembly;

/// Runs the command.
pub(super) fn run(file: Option<&Path>, command: &ConfigCommand) -> Result<()> {
    let settings = Settings::load(file)?;
    let mut out = io::stdout().lock();
    match command {
        ConfigCommand::Check => {
            let pipelines = assembly::check(&settings)?;
            let from =
                settings.file().map_or("the built-in defaults".into(), |path| path.display().to_string());
            writeln!(out, "{from}: fine; pipelines: {}", pipelines.join(", "))?;
        }
        ConfigCommand::Show => write!(out, "{}", settings.show())?,
    }
    Ok(())
}
