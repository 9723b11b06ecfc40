//! Files that are no plugin, or not the right one, and compiled code that cannot be trusted.

use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use mailsonde_wasm::{FILE_OCTETS_MAX, Host, PluginConfig, PluginError, WasmStage};
use sha2::{Digest, Sha256};

use crate::{
    guest::Guest,
    pipeline::{Folder, Nobody, SEEN, refusal, run_now, try_load},
};

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = Folder::new();
    let config = PluginConfig::new(folder.file());
    let refused = Host::new(None).unwrap().load("plugin", config, Arc::new(Nobody)).err().unwrap();
    assert!(refused.to_string().starts_with(&folder.file().display().to_string()), "{refused}");
}

#[test]
fn what_is_no_file_is_not_read() {
    let folder = Folder::new();
    for path in ["/dev/zero".as_ref(), folder.file().parent().unwrap()] {
        let config = PluginConfig::new(path);
        let refused = Host::new(None).unwrap().load("plugin", config, Arc::new(Nobody)).err();
        assert!(matches!(refused, Some(PluginError::Read { .. })), "{refused:?}");
    }
}

#[test]
fn no_octets_and_no_sense_are_refused() {
    for octets in [&b""[..], b"\0", b"\0asm", b"\0asm\x01\0\0", b"MZ\x90\0", b"#!/bin/sh\n", b"\xff\xfe\0\0"]
    {
        let refused = try_load(octets, |_| {}).err();
        assert!(matches!(refused, Some(PluginError::Malformed(_))), "{octets:?}: {refused:?}");
    }
}

#[test]
fn text_that_is_no_module_is_refused() {
    let deep = "(".repeat(1_000_000);
    for text in ["(module", "(modul)", "(component (core module $m)", "hello", &deep, "(module) (module)"] {
        let refused = try_load(text, |_| {}).err();
        assert!(matches!(refused, Some(PluginError::Malformed(_))), "{refused:?}");
    }
}

#[test]
fn text_that_is_too_long_is_not_parsed() {
    let long = format!(";;{}\n{}", "x".repeat(4 << 20), Guest::named("long").wat());
    assert_eq!(refusal(long), "no WebAssembly component: no binary, and as text larger than 4194304 octets");
}

#[test]
fn what_a_decoder_says_is_fit_to_be_shown() {
    let wat = Guest::named("painter").wat().replacen(
        "(module",
        &format!("(module (import \"\\1b[2J{}\" \"x\" (func))", "x".repeat(50_000)),
        1,
    );
    let refusal = refusal(wat);
    assert!(refusal.contains("[2Jxxx") && refusal.len() < 3_000, "{refusal}");
    assert!(!refusal.contains('\u{1b}'));
}

#[test]
fn modules_and_components_that_are_no_plugins_are_refused() {
    assert!(refusal("(module)").starts_with("no WebAssembly component: "));
    assert_eq!(
        refusal("(component)"),
        "it exports nothing and no `mailsonde:stage/plugin` of version 1, the only one that this mailsonde knows"
    );
    let next = "(component (instance $i) (export \"mailsonde:stage/plugin@2.0.0\" (instance $i)))";
    assert_eq!(
        refusal(next),
        "it exports `mailsonde:stage/plugin@2.0.0` and no `mailsonde:stage/plugin` of version 1, the only one that \
         this mailsonde knows"
    );
    let empty = "(component (instance $i) (export \"mailsonde:stage/plugin@1.0.0\" (instance $i)))";
    assert!(refusal(empty).starts_with("it does not fit the interface: "));
    // A binary of a version of WebAssembly that is not there yet.
    let mut later = Guest::named("later").module();
    later[4] = 9;
    assert!(matches!(try_load(later, |_| {}).err(), Some(PluginError::Malformed(_))));
}

/// A guest with 100,000 octets in it that do nothing.
fn large() -> Guest {
    Guest::named("large").text("ballast", vec![7; 100_000])
}

#[test]
fn half_written_files_are_refused() {
    for whole in [large().module(), large().component(), large().component_with_wasi()] {
        assert!(try_load(&whole, |_| {}).is_ok());
        for length in (0..whole.len()).step_by(1_000) {
            let refused = try_load(&whole[..length], |_| {}).err();
            assert!(refused.is_some(), "the first {length} octets of {} do", whole.len());
        }
    }
}

#[test]
fn half_written_text_is_refused() {
    let whole = Guest::named("text").wat();
    for length in (0..whole.trim_end().len()).step_by(100) {
        assert!(
            matches!(try_load(&whole[..length], |_| {}).err(), Some(PluginError::Malformed(_))),
            "{length}"
        );
    }
}

/// Whatever a damaged file turns out to be, it is refused or it is a stage like any other.
#[test]
fn damaged_files_are_refused_or_work() {
    let host = Host::new(None).unwrap();
    let folder = Folder::new();
    let mut loaded = 0;
    for whole in [Guest::named("damaged").module(), Guest::named("damaged").component()] {
        // A prime, so that all kinds of places are met; the flipped bit changes along.
        for (position, bit) in (0..whole.len()).step_by(11).zip((0..8).cycle()) {
            let mut damaged = whole.clone();
            damaged[position] ^= 1 << bit;
            let config = folder.write(&damaged);
            if let Ok(stage) = host.load("plugin", config, Arc::new(Nobody)) {
                loaded += 1;
                run_now(&Arc::new(stage), &["jane@example.com", "x@example.com"]);
            }
        }
    }
    // Such as those in which a local name is damaged.
    assert!(loaded > 0);
}

#[test]
fn two_hundred_megabytes_are_not_even_read() {
    let folder = Folder::new();
    let config = folder.write("");
    fs::File::options().write(true).open(folder.file()).unwrap().set_len(200 << 20).unwrap();
    let refused = Host::new(None).unwrap().load("plugin", config, Arc::new(Nobody)).err().unwrap();
    assert!(matches!(refused, PluginError::TooLarge { octets, .. } if octets == 200 << 20), "{refused}");
    assert!(refused.to_string().ends_with(&format!("a plugin at most {FILE_OCTETS_MAX}")), "{refused}");
}

#[test]
fn a_digest_pins_the_file() {
    let octets = Guest::named("pinned").module();
    let digest = format!("{:X}", Sha256::digest(&octets));
    let stage = try_load(&octets, |config| config.sha256 = Some(digest.clone())).unwrap();
    assert_eq!(stage.digest(), digest.to_lowercase());
    let other = Guest::named("pinned").version("1.0.1").module();
    let refused = try_load(other, |config| config.sha256 = Some(digest.clone())).err();
    assert!(matches!(refused, Some(PluginError::Digest { pinned, .. }) if pinned == digest));
    let refused = try_load(&octets, |config| config.sha256 = Some(String::new())).err();
    assert!(matches!(refused, Some(PluginError::Digest { .. })), "an empty digest pins nothing");
}

#[test]
fn configure_may_refuse() {
    let guest = Guest::named("strict")
        .text("no", "limits.score: \"high\" is no number")
        .configure("(call $refuse (global.get $no) (global.get $no_len))");
    assert_eq!(refusal(guest.wat()), "it refuses its configuration: limits.score: \"high\" is no number");
}

#[test]
fn a_description_must_make_sense() {
    let many = (0..65).fold(Guest::named("one"), |guest, number| guest.writes(&format!("one.{number}")));
    let long = format!("one.{}", "x".repeat(50_000));
    let too_long = format!("it writes {:?}, which is no key of a fact", &long[..128]);
    for (guest, why) in [
        (
            Guest::named("Upper"),
            "the id \"Upper\", which is no word of lower-case letters, digits and hyphens",
        ),
        (Guest::named(""), "the id \"\", which is no word of lower-case letters, digits and hyphens"),
        (Guest::named("one").writes("two.x"), "it writes \"two.x\", which does not begin with `one.`"),
        (Guest::named("one").writes("one."), "it writes \"one.\", which does not begin with `one.`"),
        (Guest::named("role"), "the id \"role\", under which mailsonde keeps facts of its own"),
        (Guest::named("opinion"), "the id \"opinion\", under which mailsonde keeps facts of its own"),
        (Guest::named("one").reads("nonsense"), "it reads \"nonsense\", which is no key of a fact"),
        (Guest::named("one").reads("two.\n"), "it reads \"two.\\n\", which is no key of a fact"),
        (Guest::named("one").writes("one.\u{1b}"), "it writes \"one.\\u{1b}\", which is no key of a fact"),
        (many, "a list of 65 keys of facts, and 64 are allowed"),
        (Guest::named("one").writes(&long), &too_long),
    ] {
        assert_eq!(refusal(guest.wat()), format!("`describe` says: {why}"));
    }
}

/// Loads a guest with a folder of compiled code.
fn load_compiled(guest: &Guest, compiled: &Path) -> Arc<WasmStage> {
    let folder = Folder::new();
    let host = Host::new(Some(compiled.to_owned())).unwrap();
    Arc::new(host.load("plugin", folder.write(guest.wat()), Arc::new(Nobody)).unwrap())
}

/// The one file in a folder.
fn only_file(folder: &Path) -> std::path::PathBuf {
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn damaged_compiled_code_is_compiled_anew() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = folder.path().join("compiled");
    let guest = Guest::named("kept");
    load_compiled(&guest, &compiled);
    let file = only_file(&compiled);
    let whole = fs::read(&file).unwrap();
    let flipped = |position: usize| {
        let mut octets = whole.clone();
        octets[position] ^= 1;
        octets
    };
    let damages = [
        Vec::new(),
        whole[..31].to_vec(),
        whole[..32].to_vec(),
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], b"x"].concat(),
        flipped(0),
        flipped(32),
        flipped(whole.len() / 2),
        flipped(whole.len() - 1),
    ];
    for damaged in damages {
        fs::write(&file, &damaged).unwrap();
        assert_eq!(run_now(&load_compiled(&guest, &compiled), &["jane@example.com"]), [SEEN]);
        let kept = fs::read(&file).unwrap();
        assert_ne!(kept, damaged);
        assert_eq!(Sha256::digest(&kept[32..]).as_slice(), &kept[..32], "whole again");
    }
}

/// Puts the code of another guest where this one's is looked for. Whoever runs it is another one, then.
#[test]
fn a_folder_that_others_may_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let (compiled, elsewhere) = (folder.path().join("compiled"), folder.path().join("elsewhere"));
    load_compiled(&Guest::named("planted"), &elsewhere);
    load_compiled(&Guest::named("genuine"), &compiled);
    fs::copy(only_file(&elsewhere), only_file(&compiled)).unwrap();

    let id_with_mode = |mode: u32| {
        fs::set_permissions(&compiled, fs::Permissions::from_mode(mode)).unwrap();
        load_compiled(&Guest::named("genuine"), &compiled).description().id
    };
    assert_eq!(id_with_mode(0o700), "planted", "or else the others prove nothing");
    for mode in [0o777, 0o720, 0o702] {
        assert_eq!(id_with_mode(mode), "genuine", "{mode:o}");
    }
    // As root, what belongs to somebody else too.
    if chown(&compiled, Some(12_345), None).is_ok() {
        assert_eq!(id_with_mode(0o755), "genuine");
    }
    assert_eq!(
        fs::read(only_file(&compiled)).unwrap(),
        fs::read(only_file(&elsewhere)).unwrap(),
        "nor written to"
    );
}

#[test]
fn a_file_that_others_may_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let (compiled, elsewhere) = (folder.path().join("compiled"), folder.path().join("elsewhere"));
    load_compiled(&Guest::named("planted"), &elsewhere);
    load_compiled(&Guest::named("genuine"), &compiled);
    let (planted, file) = (only_file(&elsewhere), only_file(&compiled));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let plant = |change: &dyn Fn()| {
        fs::copy(&planted, &file).unwrap();
        change();
        load_compiled(&Guest::named("genuine"), &compiled).description().id
    };
    assert_eq!(plant(&|| {}), "planted", "or else the others prove nothing");
    for mode in [0o620, 0o602] {
        let open = || fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(plant(&open), "genuine", "{mode:o}");
        // Another one has taken its place, which is ours alone.
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // As root, what belongs to somebody else too.
    if chown(&file, Some(12_345), None).is_ok() {
        assert_eq!(plant(&|| {}), "genuine");
    }
}

#[test]
fn compiled_code_is_kept_in_a_folder_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = folder.path().join("deep/in/compiled");
    load_compiled(&Guest::named("kept"), &compiled);
    assert_eq!(fs::metadata(&compiled).unwrap().permissions().mode() & 0o777, 0o700);
    only_file(&compiled);
    // What is no folder costs a line in the log, not the plugin.
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(run_now(&load_compiled(&Guest::named("kept"), &file), &["jane@example.com"]), [SEEN]);
}

#[test]
fn compiled_code_that_is_old_makes_room() {
    let folder = Folder::new();
    let compiled = folder.file().with_file_name("compiled");
    load_compiled(&Guest::named("before"), &compiled);
    let old = only_file(&compiled);
    let days_ago = |days: u64| SystemTime::now() - Duration::from_hours(24 * days);
    let age = |days| File::options().write(true).open(&old).unwrap().set_modified(days_ago(days)).unwrap();
    age(29);
    load_compiled(&Guest::named("meanwhile"), &compiled);
    assert!(old.exists());
    age(31);
    load_compiled(&Guest::named("after"), &compiled);
    assert!(!old.exists());
}
