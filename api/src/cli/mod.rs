//! The command line: what people and scripts type. Exit status 0: done; 1: a fault of ours; 2: bad usage or configuration.

mod args;
mod bounces;
mod client;
mod config;
mod csv;
mod data;
mod explain;
mod find;
mod first;
mod forget;
mod human;
mod input;
mod job;
mod key;
mod log;
mod meaning;
mod openapi;
mod output;
mod pass;
mod plugin;
mod process;
mod reply;
mod serve;
mod service;
mod signals;
mod verify;
mod webhook;
mod work;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anstream::eprintln;
use anyhow::Result;
use clap::{CommandFactory, Parser};
use mailsonde_config::{ConfigError, PipelineConfig, Settings, did_you_mean};

use args::{Args, Command};

/// Something the caller has to mend: printed without a trace, exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Parses the command line and does what it says.
pub fn run() -> ExitCode {
    let args = Args::parse();
    if args.no_color {
        anstream::ColorChoice::Never.write_global();
    }
    log::start(args.log);
    log::panics_without_words();
    match dispatch(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let is_callers = error.is::<Usage>() || error.is::<ConfigError>();
            #[allow(clippy::print_stderr)] // the one place where an error is told
            {
                eprintln!("{style}error{style:#}: {error:#}", style = human::BAD);
            }
            ExitCode::from(if is_callers { 2 } else { 1 })
        }
    }
}

fn dispatch(args: Args) -> Result<()> {
    let file = args.config.as_deref();
    match args.command {
        Command::Verify(verify) => verify::run(file, &verify),
        Command::Find(find) => find::run(file, &find),
        Command::Csv(args) => csv::run(file, &args),
        Command::Reply(reply) => reply::run(&reply),
        Command::Bounces(command) => bounces::run(file, &command),
        Command::Config(command) => config::run(file, &command),
        Command::Data(command) => data::run(file, &command),
        Command::Plugin(command) => plugin::run(file, &command),
        Command::Job(command) => job::run(file, &command),
        Command::Client(command) => client::run(file, &command),
        Command::Key(command) => key::run(file, &command),
        Command::Serve(args) => serve::run(file, &args),
        Command::Work(args) => work::run(file, &args),
        Command::Webhook(command) => webhook::run(file, &command),
        Command::Forget(args) => forget::run(file, &args),
        Command::Migrate => work::migrate(file),
        Command::Openapi { facade } => openapi::run(facade),
        Command::Completions { shell } => {
            // Into memory first: the generator panics when the reader of a pipe leaves.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "mailsonde", &mut script);
            Ok(io::stdout().write_all(&script)?)
        }
    }
}

/// The pipeline that an argument names.
fn pipeline_named(settings: &Settings, name: &str) -> Result<PipelineConfig> {
    let mut pipelines = settings.pipelines()?;
    Ok(pipelines.remove(name).ok_or_else(|| {
        let hint = did_you_mean(name, pipelines.keys().map(String::as_str));
        Usage(format!("there is no pipeline `{name}`{hint}"))
    })?)
}

/// The reader of our output left: nothing is wrong.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
