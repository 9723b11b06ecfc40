//! `mailsonde plugin build`: a project becomes a component.

use std::{io, path::Path};

use anyhow::Result;

use super::{super::Usage, BuildArgs, host, write_line};
use crate::plugin::{BuildError, build};

pub(super) fn run(config: Option<&Path>, args: &BuildArgs) -> Result<()> {
    let built = build(&host(config)?, &args.folder, args.output.as_deref()).map_err(|error| match error {
        BuildError::Manifest(error) => Usage(error.to_string()).into(),
        other => anyhow::Error::new(other),
    })?;
    let inspection = &built.inspection;
    let said = &inspection.description;
    let mut out = io::stdout().lock();
    write_line(&mut out, "component", &built.path.display().to_string())?;
    write_line(&mut out, "plugin", &format!("{} {}", said.id, said.version))?;
    write_line(&mut out, "world", inspection.world)?;
    write_line(&mut out, "size", &format!("{} octets", inspection.octets))?;
    write_line(&mut out, "sha256", &inspection.digest)?;
    Ok(())
}
