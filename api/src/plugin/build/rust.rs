//! Rust: cargo makes a core module, for the target without a system interface where the compiler has it.
//!
//! A compiler without any WebAssembly target can make one from the sources of its standard library, if they are
//! installed: so it is where Rust comes from Debian, where `rustup target add` does not exist.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use super::{
    BuildError, Project,
    program::{answer, is_executable, on_path, run_for_output, variable},
};

/// Has no system interface: nothing needs to be granted.
const BARE: &str = "wasm32-unknown-unknown";

/// Imports WASI, of which plugins get the harmless part.
const WASI: &str = "wasm32-wasip2";

/// How cargo can build for WebAssembly here.
#[derive(Debug, PartialEq)]
enum Way {
    /// The compiler has the standard library of this target.
    Ready(&'static str),
    /// The standard library is built along, and linked by this linker unless the compiler has its own.
    FromSources { linker: Option<PathBuf> },
    /// There is no telling, since this cargo stands alone: a wrapper that knows more, as a rule.
    Unknown,
}

/// A line of `cargo build --message-format=json`, as far as it matters.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

pub(super) fn compile(project: &Project) -> Result<Vec<u8>, BuildError> {
    let cargo = variable("CARGO").map(PathBuf::from).or_else(|| on_path("cargo"));
    let cargo = cargo.ok_or_else(|| missing("cargo", "install Rust: https://rustup.rs"))?;
    let way = way(project, &cargo)?;
    let target = if let Way::Ready(target) = way { target } else { BARE };
    let mut command = Command::new(&cargo);
    command.current_dir(&project.folder).args([
        "build",
        "--release",
        "--message-format=json-render-diagnostics",
        "--target",
        target,
    ]);
    if let Way::FromSources { linker } = way {
        command.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
        if let Some(linker) = linker {
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
    }
    // A build from nothing takes minutes: cargo says itself how far it is.
    let messages = run_for_output(&mut command)?;
    let module = module_of(&String::from_utf8_lossy(&messages)).ok_or_else(|| BuildError::NoResult {
        program: cargo.display().to_string(),
        what: "WebAssembly: Cargo.toml needs `[lib] crate-type = [\"cdylib\"]`",
    })?;
    fs::read(&module).map_err(BuildError::at(&module))
}

/// The last WebAssembly file that cargo says it has: the project's own, since its dependencies come first.
fn module_of(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .flat_map(|message| message.filenames)
        .rfind(|file| file.extension().is_some_and(|ending| ending == "wasm"))
}

fn way(project: &Project, cargo: &Path) -> Result<Way, BuildError> {
    let beside = || Some(cargo.with_file_name("rustc")).filter(|rustc| is_executable(rustc));
    let Some(rustc) = variable("RUSTC").map(PathBuf::from).or_else(beside) else { return Ok(Way::Unknown) };
    // In the project's folder, since a `rust-toolchain.toml` there chooses the compiler.
    let ask = |arguments: &[&str]| {
        answer(Command::new(&rustc).current_dir(&project.folder).arg("--print").args(arguments))
            .map(PathBuf::from)
    };
    let is_ready =
        |target: &&str| ask(&["target-libdir", "--target", target]).is_some_and(|found| found.is_dir());
    if let Some(target) = [BARE, WASI].into_iter().find(is_ready) {
        return Ok(Way::Ready(target));
    }
    let no_target = || {
        let install = "`rustup target add wasm32-unknown-unknown`; with Debian's compiler instead \
                       `apt-get install rustc-web cargo-web rust-web-src lld`";
        missing("WebAssembly target for Rust", install)
    };
    let sysroot = ask(&["sysroot"]).ok_or_else(no_target)?;
    if !sysroot.join("lib/rustlib/src/rust/library/Cargo.toml").is_file() {
        return Err(no_target());
    }
    let linker = linker(&sysroot, &rustc)?;
    Ok(Way::FromSources { linker })
}

/// The linker to name: none where cargo or the compiler knows one.
fn linker(sysroot: &Path, rustc: &Path) -> Result<Option<PathBuf>, BuildError> {
    let is_set = variable("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER").is_some();
    let hosts = fs::read_dir(sysroot.join("lib/rustlib")).into_iter().flatten().flatten();
    if is_set || hosts.map(|host| host.path().join("bin/rust-lld")).any(|linker| is_executable(&linker)) {
        return Ok(None);
    }
    let folder = rustc.parent().unwrap_or(sysroot);
    let found = on_path("wasm-ld").or_else(|| on_path("rust-lld")).or_else(|| versioned(folder));
    let install = "`apt-get install lld`";
    found.map(Some).ok_or_else(|| missing("linker for WebAssembly (wasm-ld)", install))
}

/// The newest `wasm-ld-22` or the like: Debian's names where only one version of LLVM is installed.
fn versioned(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let version = |file: &PathBuf| file.file_name()?.to_str()?.strip_prefix("wasm-ld-")?.parse::<u32>().ok();
    let linkers = entries.map(|entry| entry.path()).filter(|file| is_executable(file));
    linkers.filter_map(|file| Some((version(&file)?, file))).max().map(|(_, file)| file)
}

fn missing(what: &str, install: &str) -> BuildError {
    BuildError::Missing { what: what.to_owned(), install: install.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_module_that_cargo_names_is_the_projects_own() {
        let messages = r#"{"reason":"compiler-artifact","filenames":["/t/libserde.rlib"]}
{"reason":"compiler-artifact","filenames":["/t/dependency.wasm"]}
{"reason":"build-script-executed","package_id":"x"}
{"reason":"compiler-artifact","filenames":["/t/libown.rlib","/t/own.wasm"]}
no JSON: a build script printed it
{"reason":"build-finished","success":true}"#;
        assert_eq!(module_of(messages), Some(PathBuf::from("/t/own.wasm")));
        assert_eq!(module_of(r#"{"reason":"build-finished","success":true}"#), None);
    }
}
