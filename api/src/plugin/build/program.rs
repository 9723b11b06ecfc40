//! External programs: where they are, and running one without a shell.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
};

use super::BuildError;

/// The program of this name on the search path.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

/// Whether the file is there and may be run.
pub(super) fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// What a variable of the environment names, unless it is empty.
pub(super) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// What the program prints, without the line break at its end; nothing where it fails.
pub(super) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
}

/// Runs a compiler to its end and reads the file that it made. What it said is part of the error if it fails.
pub(super) fn made(command: &mut Command, file: &Path) -> Result<Vec<u8>, BuildError> {
    let output = ended(command)?;
    succeeded(command, output.status, &[output.stdout, output.stderr].concat())?;
    fs::read(file).map_err(BuildError::at(file))
}

/// Runs a program that writes for programs on its standard output, which is returned, and for people on its standard
/// error, which they see at once.
pub(super) fn run_for_output(command: &mut Command) -> Result<Vec<u8>, BuildError> {
    let output = ended(command.stderr(Stdio::inherit()))?;
    succeeded(command, output.status, &[])?;
    Ok(output.stdout)
}

fn ended(command: &mut Command) -> Result<Output, BuildError> {
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| BuildError::NotStarted { program: program(command), source })
}

fn succeeded(command: &Command, status: ExitStatus, said: &[u8]) -> Result<(), BuildError> {
    if status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(said).trim_end().to_owned();
    Err(BuildError::Failed { program: program(command), status, output })
}

/// Its name or path, for errors.
fn program(command: &Command) -> String {
    Path::new(command.get_program()).display().to_string()
}

/// The program in the project's own virtual environment, or in the active one.
pub(super) fn in_venv(folder: &Path, name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let own = folder.join(".venv");
    let active = variable("VIRTUAL_ENV").map(PathBuf::from);
    let places = [Some(own), active].into_iter().flatten();
    places.map(|venv| venv.join("bin").join(name.as_ref())).find(|file| is_executable(file))
}
