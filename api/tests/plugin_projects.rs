//! Plugins from `plugin new` to cases that pass, in every language, and the examples of `plugins/guests`. The compilers
//! are those that `tests/setup` brings: where they are missing, these tests fail.

#![allow(clippy::unwrap_used)] // tests, and what they share

#[path = "plugins/folder.rs"]
mod folder;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use folder::{Folder, Run};

/// Where `tests/setup` puts the commands of all compilers.
const COMPILERS: &str = "/var/cache/mailsonde-tests/guests/bin";

/// What says of a running cargo, the one of these tests, where it is and what it builds with.
const OF_CARGO: &[&str] =
    &["CARGO", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "RUSTC", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"];

/// The worlds, and how many cases a new project of each has.
const WORLDS: [(&str, usize); 4] = [("pure", 6), ("with-dns", 8), ("with-cache", 7), ("full", 9)];

/// Runs a command of `mailsonde plugin` that must succeed, with this search path.
fn plugin(folder: &Folder, path: &str, args: &[&str]) -> Run {
    let mut command = folder.command(None, &[&["plugin"], args].concat());
    for name in OF_CARGO {
        command.env_remove(name);
    }
    Run::of(command.env("PATH", path).output().unwrap())
}

/// The search path with the compilers.
fn compilers() -> String {
    assert!(Path::new(COMPILERS).is_dir(), "{COMPILERS} is missing: run tests/setup");
    format!("{COMPILERS}:{}", env::var("PATH").unwrap())
}

/// What the command prints; it must succeed.
fn succeeds(folder: &Folder, args: &[&str]) -> String {
    let run = plugin(folder, &compilers(), args);
    assert_eq!(run.status, Some(0), "{args:?}\n{}\n{}", run.stdout, run.stderr);
    run.stdout
}

/// A new project in this language works at once, in each of these worlds.
fn begins_well(language: &str, worlds: &[&str]) {
    let folder = Folder::new();
    for (world, cases) in WORLDS.iter().filter(|(world, _)| worlds.contains(world)) {
        let project = format!("my-{world}");
        succeeds(&folder, &["new", &project, "--lang", language, "--world", world]);
        let built = succeeds(&folder, &["build", &project]);
        for line in [
            format!("component {project}/build/{project}.wasm"),
            format!("plugin    {project} 0.1.0"),
            format!("world     {world}"),
        ] {
            assert!(built.lines().any(|found| found == line), "{line}\n{built}");
        }
        let tested = succeeds(&folder, &["test", &project]);
        assert!(tested.ends_with(&format!("\n{cases} cases passed\n")), "{tested}");
    }
}

#[test]
fn rust() {
    begins_well("rust", &["pure", "full"]);
}

#[test]
fn c() {
    begins_well("c", &["pure", "with-dns", "with-cache", "full"]);
}

#[test]
fn javascript() {
    begins_well("js", &["pure", "with-dns", "with-cache", "full"]);
}

#[test]
fn python() {
    begins_well("python", &["pure", "full"]);
}

/// The examples, copied: nothing is left behind in the source tree.
#[test]
fn the_examples_pass_their_cases() {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/guests");
    let wit = guests.join("../../wit/v1");
    for guest in ["blocklist", "signup_policy", "crm_look_alike", "bimi", "minimal"] {
        let folder = Folder::new();
        copy(&guests.join(guest), &folder.path().join(guest));
        copy(&wit, &folder.path().join(guest).join("wit"));
        let component = format!("{guest}.wasm");
        succeeds(&folder, &["build", guest, "-o", &component]);
        let cases = format!("{guest}/cases.toml");
        let tested = succeeds(&folder, &["test", &component, "--cases", &cases]);
        assert!(tested.ends_with(" cases passed\n"), "{guest}\n{tested}");
    }
}

/// Copies a folder, without what building leaves in it and without links.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, name) = (entry.file_type().unwrap(), entry.file_name());
        if kind.is_file() {
            fs::copy(entry.path(), to.join(name)).unwrap();
        } else if kind.is_dir()
            && !["target", "build", "node_modules", "__pycache__"].iter().any(|left| name == *left)
        {
            copy(&entry.path(), &to.join(name));
        }
    }
}

#[test]
fn a_compiler_that_is_missing_is_said_in_one_line() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("nothing")).unwrap();
    for (language, said) in [
        ("rust", "there is no cargo: install Rust: https://rustup.rs"),
        ("c", "there is no C compiler for WebAssembly: `apt-get install clang lld wasi-libc"),
        ("js", "there is no componentize-qjs: `npm install"),
        ("python", "there is no componentize-py: `python3 -m venv .venv && .venv/bin/pip install"),
    ] {
        let project = format!("in-{language}");
        succeeds(&folder, &["new", &project, "--lang", language]);
        let run = plugin(&folder, folder.path().join("nothing").to_str().unwrap(), &["build", &project]);
        assert_eq!((run.status, run.stderr.lines().count()), (Some(1), 1), "{run:?}");
        assert!(run.stderr.starts_with(&format!("error: {said}")), "{run:?}");
    }
}

#[test]
fn a_rust_compiler_that_makes_no_webassembly_is_said_with_what_to_install() {
    let folder = Folder::new();
    succeeds(&folder, &["new", "mine", "--lang", "rust"]);
    // Answers as a compiler does that has only its host's library.
    let compiler = "#!/bin/sh\ncase $2 in sysroot) pwd ;; *) echo /nonexistent ;; esac\n";
    for program in ["cargo", "rustc"] {
        executable(&folder, program, compiler);
    }
    let run = plugin(&folder, folder.path().join("bin").to_str().unwrap(), &["build", "mine"]);
    assert_eq!((run.status, run.stderr.lines().count()), (Some(1), 1), "{run:?}");
    let said = "error: there is no WebAssembly target for Rust: `rustup target add wasm32-unknown-unknown`";
    assert!(run.stderr.starts_with(said), "{run:?}");
}

/// Writes a program into the folder's `bin`.
fn executable(folder: &Folder, name: &str, text: &str) -> PathBuf {
    let path = folder.write(&format!("bin/{name}"), text);
    let made = Command::new("chmod").arg("+x").arg(&path).status().unwrap();
    assert!(made.success());
    path
}

#[test]
fn a_source_that_does_not_compile_leaves_the_component_as_it_was() {
    let folder = Folder::new();
    succeeds(&folder, &["new", "mine", "--lang", "c"]);
    succeeds(&folder, &["build", "mine"]);
    let component = folder.path().join("mine/build/mine.wasm");
    let before = fs::read(&component).unwrap();
    let source = fs::read_to_string(folder.path().join("mine/check.c")).unwrap();

    folder.write("mine/check.c", source.replace("return true;", "return tru;"));
    let run = plugin(&folder, &compilers(), &["build", "mine"]);
    assert_eq!(run.status, Some(1), "{run:?}");
    // What the compiler says is there to be read.
    assert!(run.stderr.contains("check.c:") && run.stderr.contains("'tru'"), "{}", run.stderr);

    // A function that would need a terminal: compiled, and no plugin.
    folder.write("mine/check.c", source.replace("return true;", "puts(\"\"); return true;"));
    folder.write("mine/plugin.h", "#include <stdio.h>\n#include \"build/intermediate/plugin.h\"\n");
    let run = plugin(&folder, &compilers(), &["build", "mine"]);
    assert!(run.status == Some(1) && run.stderr.contains("the interface's `log`"), "{run:?}");
    assert!(before == fs::read(&component).unwrap(), "the component is another");
}

/// Cargo reports to programs, too, and that is nothing to read.
#[test]
fn what_rust_says_of_a_mistake_is_there_to_be_read() {
    let folder = Folder::new();
    succeeds(&folder, &["new", "mine", "--lang", "rust"]);
    let source = fs::read_to_string(folder.path().join("mine/src/lib.rs")).unwrap();
    folder.write("mine/src/lib.rs", source + "fn wrong() -> u8 { tru }\n");
    let run = plugin(&folder, &compilers(), &["build", "mine"]);
    assert_eq!((run.status, &*run.stdout), (Some(1), ""), "{run:?}");
    assert!(run.stderr.contains("src/lib.rs:") && run.stderr.contains("`tru`"), "{}", run.stderr);
    assert!(!run.stderr.contains("\"reason\""), "{}", run.stderr);
    let last = run.stderr.lines().last().unwrap();
    assert!(last.starts_with("error: `") && last.ends_with("cargo` failed (exit status: 101)"), "{last}");
}

#[test]
fn nothing_is_overwritten() {
    let folder = Folder::new();
    succeeds(&folder, &["new", "mine", "--lang", "c"]);
    let new = |args: &[&str]| {
        let run = plugin(&folder, "", &[&["new"], args].concat());
        assert_eq!((run.status, run.stderr.lines().count()), (Some(2), 1), "{run:?}");
        run.stderr
    };
    assert!(new(&["mine", "--lang", "js"]).contains("mine: there is something already"));
    assert!(new(&["other", "--lang", "js", "--path", "mine/check.c"]).contains("there is something already"));
    assert!(new(&["My_Plugin", "--lang", "js"]).contains("`My_Plugin` is no name for a plugin"));
    assert!(new(&["dns", "--lang", "js"]).contains("`dns` is taken"));
}
