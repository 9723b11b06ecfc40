//! Plugins in the configuration and on the command line. The guests are WebAssembly text, so that nothing but cargo is
//! needed, and no name server but one of the test's own is asked.

#![allow(clippy::unwrap_used)] // tests, and what they share

#[path = "../../../plugins/wasm/tests/guest/mod.rs"]
mod guest;

mod assembled;
mod authors;
mod folder;
mod placed;
mod recorded;
mod reloaded;
mod running;
mod skipped;

use std::path::PathBuf;

use folder::{Folder, Run};
use guest::Guest;
use mailsonde_config::Settings;

impl Folder {
    /// Runs the binary in this folder, with this configuration if there is any.
    fn run(&self, toml: Option<&str>, args: &[&str]) -> Run {
        Run::of(self.command(toml, args).output().unwrap())
    }

    /// Writes `NAME.wat`.
    fn guest(&self, name: &str, guest: &Guest) -> PathBuf {
        self.write(&format!("{name}.wat"), guest.wat())
    }

    /// The configuration with this text, in which `DIR` is this folder; errors call it `mailsonde.toml`. The data folder
    /// and the name server are the last two tables.
    fn settings(&self, toml: &str) -> Settings {
        Settings::from_parts(&self.toml(toml), &[]).unwrap()
    }

    fn toml(&self, toml: &str) -> String {
        let dir = self.path().to_str().unwrap();
        let own = "\n[data]\ndir = 'DIR/data'\n[dns]\nservers = ['127.0.0.1:9']\n";
        format!("{toml}{own}").replace("DIR", dir)
    }
}

/// A guest that writes the fact `ID.seen` = true, and has no opinion.
fn witness(id: &str) -> Guest {
    let key = format!("{id}.seen");
    Guest::named(id).writes(&key).text("key", key).text("yes", "true").check(
        "(call $fact (local.get $outcome)
               (global.get $key) (global.get $key_len) (global.get $yes) (global.get $yes_len))",
    )
}

/// A guest that holds every address that begins with `x` to be of high risk.
fn accuser(id: &str) -> Guest {
    Guest::named(id).text("begins_with_x", "begins_with_x").check(
        "(if (call $is_struck (local.get $subject))
           (then (call $opine (local.get $outcome) (i32.const 6)
             (global.get $begins_with_x) (global.get $begins_with_x_len) (f64.const 0.9))))",
    )
}

/// A guest that writes how many TXT records a name has that it asks for: `asker.found` = 1 or more is `true`.
fn asker() -> Guest {
    Guest::named("asker")
        .imports("lookup-many")
        .writes("asker.found")
        .text("key", "asker.found")
        .text("yes", "true")
        .text("no", "false")
        .check(
            "(if (i32.load8_u offset=8 (local.get $subject))
               (then
                 ;; query: the domain, and 3 for TXT
                 (i32.store (i32.const 16) (i32.load offset=20 (local.get $subject)))
                 (i32.store (i32.const 20) (i32.load offset=24 (local.get $subject)))
                 (i32.store8 (i32.const 24) (i32.const 3))
                 (call $lookup-many (i32.const 16) (i32.const 1) (i32.const 64))
                 ;; answer: 0 is `found`
                 (if (i32.eqz (i32.load8_u (i32.load (i32.const 64))))
                   (then (call $fact (local.get $outcome)
                     (global.get $key) (global.get $key_len) (global.get $yes) (global.get $yes_len)))
                   (else (call $fact (local.get $outcome)
                     (global.get $key) (global.get $key_len) (global.get $no) (global.get $no_len))))))",
        )
}
