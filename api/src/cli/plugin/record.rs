//! `mailsonde plugin record`: calls of production as a file of cases.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::Path,
};

use anyhow::{Result, bail};
use mailsonde_config::{Settings, did_you_mean};

use super::{
    super::{Usage, human::escaped},
    RecordArgs,
};
use crate::{
    assembly::{Parts, STAGES},
    plugin::Recorder,
};

/// Runs the command.
pub(super) fn run(config: Option<&Path>, args: &RecordArgs) -> Result<()> {
    if let Some(file) = args.output.as_deref().filter(|file| file.exists()) {
        // Said before anybody is asked.
        return Err(Usage(format!("{}: it is there, and nothing is overwritten", file.display())).into());
    }
    let stage = &args.stage;
    if STAGES.iter().any(|kind| kind.name == stage) {
        return Err(
            Usage(format!("`{stage}` is a built-in stage; only calls of plugins are recorded")).into()
        );
    }
    let settings = Settings::load(config)?;
    let pipelines = settings.pipelines()?;
    if !pipelines.contains_key(&args.pipeline) {
        let hint = did_you_mean(&args.pipeline, pipelines.keys().map(String::as_str));
        return Err(Usage(format!("there is no pipeline `{}`{hint}", args.pipeline)).into());
    }
    let parts = Parts::new(&settings)?;
    let recorder = Recorder::new(&settings, &parts, &args.pipeline, stage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut recordings = Vec::new();
    for address in &args.addresses {
        match runtime.block_on(recorder.record(address)) {
            Ok(recording) => recordings.push(recording),
            // Of the others something can be kept.
            Err(error) => tell(address, &error),
        }
    }
    if let Some(prober) = parts.smtp() {
        runtime.block_on(prober.close());
    }
    runtime.shutdown_background();
    if recordings.is_empty() {
        bail!("nothing is recorded");
    }
    write(args.output.as_deref(), &recorder.file(&recordings)?)
}

/// Into a new file, which nobody but its owner can read; or to standard output.
fn write(file: Option<&Path>, text: &str) -> Result<()> {
    let Some(path) = file else { return Ok(io::stdout().write_all(text.as_bytes())?) };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| Usage(format!("{}: {error}", path.display())))?;
    Ok(file.write_all(text.as_bytes())?)
}

#[allow(clippy::print_stderr)] // beside the cases, which may go to standard output
fn tell(address: &str, error: &anyhow::Error) {
    anstream::eprintln!("{}: {error:#}", escaped(address));
}
