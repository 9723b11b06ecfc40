//! Python: `componentize-py`, of a virtual environment or else on the search path, makes a component with `CPython` in
//! it.

use std::process::Command;

use super::{
    BuildError, Project,
    program::{in_venv, made, on_path},
};

/// The compiler's name, as a command and as a package of `PyPI`.
const COMPILER: &str = "componentize-py";

pub(super) fn compile(project: &Project) -> Result<Vec<u8>, BuildError> {
    let source = project.source("py")?;
    let wit = project.wit()?;
    let compiler = in_venv(&project.folder, COMPILER).or_else(|| on_path(COMPILER));
    let compiler = compiler.ok_or_else(|| BuildError::Missing {
        what: COMPILER.to_owned(),
        install: format!(
            "`python3 -m venv .venv && .venv/bin/pip install {COMPILER}` in the project (`apt-get install python3-venv`)"
        ),
    })?;
    let component = project.intermediate()?.join("component.wasm");
    let mut command = Command::new(compiler);
    command
        .current_dir(&project.folder)
        .arg("--wit-path")
        .arg(wit)
        // No plugin gets files or sockets, so WASI would lead nowhere.
        .args([
            "--world",
            project.manifest.world.as_str(),
            "componentize",
            "--stub-wasi",
            "--python-path",
            ".",
        ])
        .arg("--output")
        .arg(&component)
        // The module's name.
        .arg(source.file_stem().unwrap_or_default());
    made(&mut command, &component)
}
