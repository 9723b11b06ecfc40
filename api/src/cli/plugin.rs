//! `mailsonde plugin`: what authors of plugins type. Each command is a file of its own.

mod bench;
mod build;
mod inspect;
mod new;
mod record;
mod test;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};
use mailsonde_config::Settings;
use mailsonde_wasm::Host;

use super::{Usage, human::escaped};
use crate::{
    assembly::compiled_folder,
    plugin::{CASES, Language, World, component_of, newer_than},
};

/// What can be done with a plugin.
#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// Begin a plugin: a folder with a small check that works, its cases and the interface
    New(NewArgs),
    /// Compile a plugin to a component, and check that it is one
    Build(BuildArgs),
    /// Run a plugin's cases: what it is given, and what it must say
    Test(TestArgs),
    /// Measure what a plugin costs
    Bench(BenchArgs),
    /// Say what a component is, what it needs, and what pins it
    Inspect(InspectArgs),
    /// Run the pipeline for real up to a plugin, and print its calls as cases
    Record(RecordArgs),
}

#[derive(Debug, ClapArgs)]
pub(super) struct NewArgs {
    /// Its name, and the prefix of the facts that it writes: lower-case letters, digits and hyphens
    pub name: String,
    /// The language to write it in
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    pub lang: Language,
    /// What it may import
    #[arg(long, value_enum, default_value_t = World::Pure, value_name = "WORLD")]
    pub world: World,
    /// The folder to make [default: NAME]
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct BuildArgs {
    /// The plugin's folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub folder: PathBuf,
    /// Where to write the component [default: build/NAME.wasm in the folder, by the folder's name]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct TestArgs {
    /// A plugin's folder, or a component or core module, as binary or as text
    #[arg(value_name = "FOLDER|FILE", default_value = ".")]
    pub plugin: PathBuf,
    /// The cases [default: cases.toml of the plugin's folder]
    #[arg(long, value_name = "FILE")]
    pub cases: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct BenchArgs {
    /// A plugin's folder, or a component or core module, as binary or as text
    #[arg(value_name = "FOLDER|FILE", default_value = ".")]
    pub plugin: PathBuf,
    /// Cases whose configuration the plugin gets [default: cases.toml of the plugin's folder, if it is there]
    #[arg(long, value_name = "FILE")]
    pub cases: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct InspectArgs {
    /// A component or core module, as binary or as text; or a plugin's folder
    #[arg(value_name = "FILE|FOLDER", default_value = ".")]
    pub plugin: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RecordArgs {
    /// The plugin's name in the configuration
    pub stage: String,
    /// Addresses, each of which becomes a case
    #[arg(value_name = "ADDRESS", required = true)]
    pub addresses: Vec<String>,
    /// Which pipeline of the configuration to run
    #[arg(long, default_value = "verify", value_name = "NAME")]
    pub pipeline: String,
    /// Write the cases into a new file
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(config: Option<&Path>, command: &PluginCommand) -> Result<()> {
    match command {
        PluginCommand::New(args) => new::run(args),
        PluginCommand::Build(args) => build::run(config, args),
        PluginCommand::Test(args) => test::run(config, args),
        PluginCommand::Bench(args) => bench::run(args),
        PluginCommand::Inspect(args) => inspect::run(config, args),
        PluginCommand::Record(args) => record::run(config, args),
    }
}

/// The component that was named. One that is older than its sources is used, and told of.
fn component(path: &Path) -> Result<PathBuf> {
    let component = component_of(path).map_err(|error| Usage(error.to_string()))?;
    if let Some(source) = newer_than(&component, path) {
        let source = source.display();
        tracing::warn!("{source} is newer than the component; `mailsonde plugin build` makes it anew");
    }
    Ok(component)
}

/// A host with the compiled code of earlier runs.
fn host(config: Option<&Path>) -> Result<Host> {
    Ok(Host::new(Some(compiled_folder(&Settings::load(config)?)?))?)
}

/// Where the cases of a component are if nobody says so: in its folder, or in the one in which that was built.
fn usual_cases(plugin: &Path) -> Option<PathBuf> {
    let folder = if plugin.is_dir() { plugin } else { plugin.parent()? };
    let above = folder.parent().unwrap_or("..".as_ref());
    [folder, above].map(|folder| folder.join(CASES)).into_iter().find(|file| file.is_file())
}

/// A line of what is said about a component: a word and what goes with it.
fn write_line(out: &mut impl Write, word: &str, value: &str) -> io::Result<()> {
    writeln!(out, "{word:<10}{}", escaped(value))
}
