//! JavaScript: `componentize-qjs`, of the project's `node_modules` or else on the search path, makes a component with
//! the engine `QuickJS` in it.

use std::{path::PathBuf, process::Command};

use super::{
    BuildError, Project,
    program::{is_executable, made, on_path},
};

/// The compiler's name, as a command and as a package of npm.
const COMPILER: &str = "componentize-qjs";

pub(super) fn compile(project: &Project) -> Result<Vec<u8>, BuildError> {
    let source = project.source("js")?;
    let wit = project.wit()?;
    let compiler = compiler(project).ok_or_else(|| BuildError::Missing {
        what: COMPILER.to_owned(),
        install: format!(
            "`npm install {COMPILER}` in the project; it needs Node.js 18: `apt-get install nodejs npm`"
        ),
    })?;
    let component = project.intermediate()?.join("component.wasm");
    let mut command = Command::new(compiler);
    command
        .current_dir(&project.folder)
        // The interface has no asynchronous functions, and no plugin gets files, so WASI would lead nowhere.
        .args(["--sync", "--opt-size", "--stub-wasi", "--world", project.manifest.world.as_str()])
        .arg("--wit")
        .arg(wit)
        .arg("--js")
        .arg(source)
        .arg("--output")
        .arg(&component);
    made(&mut command, &component)
}

/// Where Node.js itself would look for the package, then the search path.
fn compiler(project: &Project) -> Option<PathBuf> {
    let of_modules = project.folder.ancestors().map(|folder| folder.join("node_modules/.bin").join(COMPILER));
    of_modules.into_iter().find(|file| is_executable(file)).or_else(|| on_path(COMPILER))
}
