//! C: the bindings are generated here, into `build/intermediate/plugin.{c,h}`, under the same names for every world;
//! clang or zig compiles them with the project's sources to a core module.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use mailsonde_wasm::interface;
use wit_bindgen_core::Files;

use super::{
    BuildError, Project,
    program::{answer, in_venv, made, on_path},
};
use crate::plugin::{manifest::World, project::files_ending_in};

/// What the generated files and their functions are named after.
const NAME: &str = "plugin";

/// A reactor has no `main`; small is fast enough where what is called most is short.
const FLAGS: &[&str] = &["-mexec-model=reactor", "-Oz", "-std=c17", "-Wall", "-Wextra", "-Wl,--strip-debug"];

pub(super) fn compile(project: &Project) -> Result<Vec<u8>, BuildError> {
    let mut sources = files_ending_in(&project.folder, "c");
    if sources.is_empty() {
        return Err(BuildError::NoSource { folder: project.folder.clone(), ending: "c" });
    }
    let mut command = compiler(&project.folder)?;
    let folder = project.intermediate()?;
    write_bindings(project.manifest.world, &folder)?;
    sources.push(folder.join(format!("{NAME}.c")));
    sources.push(folder.join(format!("{NAME}_component_type.o")));
    let module = folder.join("module.wasm");
    command
        .current_dir(&project.folder)
        .args(FLAGS)
        .arg("-I")
        .arg(&folder)
        .arg("-o")
        .arg(&module)
        .args(sources);
    made(&mut command, &module)
}

/// The first compiler that has a standard library for WebAssembly.
fn compiler(folder: &Path) -> Result<Command, BuildError> {
    if let Some(command) = on_path("clang").and_then(|clang| with_library(&clang)) {
        return Ok(command);
    }
    if let Some(zig) = on_path("zig") {
        return Ok(zig_command(&zig, &[]));
    }
    let pythons = in_venv(folder, "python3").into_iter().chain(on_path("python3"));
    let has_zig = |python: &PathBuf| answer(Command::new(python).args(["-c", "import ziglang"])).is_some();
    if let Some(python) = pythons.into_iter().find(has_zig) {
        return Ok(zig_command(&python, &["-m", "ziglang"]));
    }
    Err(BuildError::Missing {
        what: "C compiler for WebAssembly".to_owned(),
        install:
            "`apt-get install clang lld wasi-libc libclang-rt-dev-wasm32`, or `python3 -m venv .venv && \
                  .venv/bin/pip install ziglang` in the project"
                .to_owned(),
    })
}

fn zig_command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).args(["cc", "-target", "wasm32-wasi"]);
    command
}

/// clang, where it finds wasi-libc: where its own sysroot is, or where Debian has it.
fn with_library(clang: &Path) -> Option<Command> {
    // By this name it finds its libraries on Debian; newer versions call it deprecated.
    const TARGET: &[&str] = &["--target=wasm32-wasi", "-Wno-deprecated"];
    let has_library = |sysroot: &[&str]| {
        let mut ask = Command::new(clang);
        let found = answer(ask.args(TARGET).args(sysroot).arg("-print-file-name=crt1-reactor.o"));
        found.is_some_and(|found| Path::new(&found).is_file())
    };
    let sysroots: [&[&str]; 2] = [&[], &["--sysroot=/usr"]];
    let sysroot = sysroots.into_iter().find(|sysroot| has_library(sysroot))?;
    let mut command = Command::new(clang);
    command.args(TARGET).args(sysroot).arg("-flto");
    Some(command)
}

fn write_bindings(world: World, folder: &Path) -> Result<(), BuildError> {
    let files = bindings(world).map_err(BuildError::Bindings)?;
    for (name, contents) in files.iter() {
        let path = folder.join(name);
        fs::write(&path, contents).map_err(BuildError::at(&path))?;
    }
    Ok(())
}

/// The generated files. They come from the interface that this mailsonde was built with.
fn bindings(world: World) -> Result<Files, String> {
    let (mut resolve, world) = interface(world.as_str()).map_err(|error| error.to_string())?;
    let options = wit_bindgen_c::Opts { rename_world: Some(NAME.to_owned()), ..Default::default() };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).map_err(|error| format!("{error:#}"))?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_world_has_bindings_of_the_same_names() {
        for world in [World::Pure, World::WithDns, World::WithCache, World::Full] {
            let files = bindings(world).unwrap();
            let names: Vec<_> = files.iter().map(|(name, _)| name.to_owned()).collect();
            assert_eq!(names, ["plugin.c", "plugin.h", "plugin_component_type.o"], "{}", world.as_str());
            let (_, header) = files.iter().find(|(name, _)| *name == "plugin.h").unwrap();
            let header = String::from_utf8_lossy(header);
            assert_eq!(header.contains("mailsonde_stage_dns_lookup_many"), world.has_dns());
            assert_eq!(header.contains("mailsonde_stage_cache_get_many"), world.has_cache());
        }
    }
}
