//! What guests may import: what they are granted, and nothing else. Refused by name when they are loaded.

use mailsonde_wasm::{Grant, PluginError};

use crate::{
    guest::Guest,
    pipeline::{load_with, refusal, try_load},
};

fn asks_dns() -> Guest {
    Guest::named("curious").imports("lookup-many").when_struck(
        "(call $lookup-many (i32.const 16) (i32.const 0) (i32.const 64)) (call $see (local.get $outcome))",
    )
}

fn remembers() -> Guest {
    Guest::named("curious").imports("get-many").when_struck(
        "(call $get-many (i32.const 16) (i32.const 0) (i32.const 64)) (call $see (local.get $outcome))",
    )
}

/// A component that has our export by name, and imports something.
fn importing(import: &str) -> String {
    format!(
        "(component
           (import \"{import}\" (instance))
           (instance $plugin)
           (export \"mailsonde:stage/plugin@1.0.0\" (instance $plugin)))"
    )
}

#[test]
fn what_must_be_granted_is_named_with_its_grant() {
    assert_eq!(
        refusal(asks_dns().wat()),
        "it imports `mailsonde:stage/dns@1.0.0`, which `grants` does not hold: add \"dns\" to let it"
    );
    assert_eq!(
        refusal(remembers().wat()),
        "it imports `mailsonde:stage/cache@1.0.0`, which `grants` does not hold: add \"cache\" to let it"
    );
}

#[test]
fn one_grant_is_not_the_other() {
    let refused = try_load(asks_dns().wat(), |config| config.grants = vec![Grant::Cache]);
    assert!(matches!(refused.err(), Some(PluginError::NotGranted { grant: Grant::Dns, .. })));
    let refused = try_load(remembers().wat(), |config| config.grants = vec![Grant::Dns]);
    assert!(matches!(refused.err(), Some(PluginError::NotGranted { grant: Grant::Cache, .. })));
}

#[test]
fn what_is_granted_is_given() {
    load_with(&asks_dns(), |config| config.grants = vec![Grant::Dns]);
    load_with(&remembers(), |config| config.grants = vec![Grant::Cache, Grant::Dns]);
}

#[test]
fn what_nobody_gets_is_named() {
    for import in [
        "wasi:sockets/tcp@0.2.0",
        "wasi:sockets/ip-name-lookup@0.2.6",
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:keyvalue/store@0.2.0",
        "wasi:clocksx/wall-clock@0.2.0",
        "acme:things/shell@1.0.0",
        "mailsonde:stage/shell@1.0.0",
        "mailsonde:other/log@1.0.0",
    ] {
        assert_eq!(refusal(importing(import)), format!("it imports `{import}`, which no plugin is given"));
    }
}

#[test]
fn versions_that_are_not_known_are_named() {
    let refusal = refusal(importing("mailsonde:stage/log@2.0.0"));
    assert_eq!(
        refusal,
        "it does not fit the interface: it imports `mailsonde:stage/log@2.0.0`, and version 2.0.0 is not known here"
    );
}

#[test]
fn functions_that_an_interface_does_not_have_are_refused() {
    let import = "(component
        (import \"mailsonde:stage/log@1.0.0\" (instance (export \"shout\" (func))))
        (instance $plugin)
        (export \"mailsonde:stage/plugin@1.0.0\" (instance $plugin)))";
    let refused = try_load(import, |_| {}).err();
    assert!(
        matches!(&refused, Some(PluginError::Mismatch(why)) if why.contains("mailsonde:stage/log@1.0.0")),
        "{refused:?}"
    );
}

#[test]
fn modules_import_nothing_foreign_either() {
    for (module, name) in [("env", "system"), ("wasi_snapshot_preview1", "sock_open")] {
        let wat = Guest::named("foreign").wat().replacen(
            "(module",
            &format!("(module (import \"{module}\" \"{name}\" (func))"),
            1,
        );
        let refused = try_load(wat, |_| {}).err();
        assert!(matches!(&refused, Some(PluginError::Malformed(why)) if why.contains(module)), "{refused:?}");
    }
}
