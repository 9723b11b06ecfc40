//! What is wrong with a plugin is said with file, line and key.

use super::{Folder, asker, guest::Guest, witness};

/// What is said of a configuration, or what its pipelines are.
fn check(folder: &Folder, toml: &str) -> String {
    let said = mailsonde::check(&folder.settings(toml));
    let said = said.map_or_else(|error| format!("{error:#}"), |pipelines| pipelines.join(" "));
    said.replace(folder.path().to_str().unwrap(), "DIR")
}

#[test]
fn errors_stand_at_the_key_that_is_their_cause() {
    let folder = Folder::new();
    folder.guest("seen", &witness("seen"));
    folder.guest("asker", &asker());
    let refusing = Guest::named("refusing")
        .text("message", "blocked: a list is missing")
        .configure("(call $refuse (global.get $message) (global.get $message_len))");
    folder.guest("refusing", &refusing);
    folder.guest("describing", &witness("seen").reads("no such key"));
    folder.write("garbage.wasm", "(module (nothing))");
    folder.write("empty.wasm", "");
    for (table, said) in [
        ("wasm = 'DIR/none.wasm'", "2: stage.mine.wasm: DIR/none.wasm: No such file or directory"),
        ("\nwasm = 'DIR/garbage.wasm'", "3: stage.mine.wasm: no WebAssembly component: "),
        ("wasm = 'DIR/empty.wasm'", "2: stage.mine.wasm: "),
        ("wasm = 'DIR/describing.wat'", "2: stage.mine.wasm: `describe` says: it reads \"no such key\""),
        (
            "wasm = 'DIR/seen.wat'\nsha256 = 'ab'",
            "3: stage.mine.sha256: no SHA-256, which is 64 hexadecimal digits",
        ),
        (
            &format!("wasm = 'DIR/seen.wat'\nsha256 = '{}g'", "a".repeat(63)),
            "3: stage.mine.sha256: no SHA-256, which is 64 hexadecimal digits",
        ),
        (
            &format!("wasm = 'DIR/seen.wat'\nsha256 = '{}'", "A0".repeat(32)),
            "3: stage.mine.sha256: sha256 is ",
        ),
        (
            "wasm = 'DIR/asker.wat'\ngrants = ['cache']",
            "3: stage.mine.grants: it imports `mailsonde:stage/dns@1.0.0`, which `grants` does not hold: add \"dns\"",
        ),
        ("wasm = 'DIR/asker.wat'", "1: stage.mine.grants: it imports `mailsonde:stage/dns@1.0.0`"),
        (
            "wasm = 'DIR/refusing.wat'\nconfig = { block = [] }",
            "3: stage.mine.config: it refuses its configuration: blocked: a list is missing",
        ),
        (
            "wasm = 'DIR/seen.wat'\nmemorymax = 1",
            "3: unknown key `memorymax` in [stage.mine]; did you mean `memory_max`?",
        ),
        (
            "wasm = 'DIR/seen.wat'\ngrants = ['dsn']",
            "3: stage.mine.grants.0: expected \"dns\" or \"cache\", found \"dsn\"",
        ),
        ("wasm = 'DIR/seen.wat'\nmemory_max = 'lots'", "3: stage.mine.memory_max: "),
        ("wasm = 'DIR/seen.wat'\ncpu_max = '0s'", "3: stage.mine.cpu_max: a plugin cannot run in no time"),
        ("wasm = 'DIR/seen.wat'\ninstances_max = 0", "3: stage.mine.instances_max: "),
        ("grants = []", "1: stage.mine: unknown stage `mine`; a plugin has the key `wasm`"),
    ] {
        let found = check(&folder, &format!("[stage.mine]\n{table}"));
        assert!(found.starts_with(&format!("mailsonde.toml:{said}")), "{table}\n{found}");
    }
    assert_eq!(check(&folder, "[stage.mine]\nwasm = 'DIR/seen.wat'"), "find tasks verify");
}

#[test]
fn a_plugin_has_a_name_of_its_own() {
    let folder = Folder::new();
    folder.guest("seen", &witness("seen"));
    for (name, said) in [
        ("syntax", "`syntax` is a built-in stage; give the plugin a name of its own"),
        ("typo_trap", "in `stop_on`, `typo_trap` is a finding; give the plugin another name"),
    ] {
        let found = check(&folder, &format!("[stage.{name}]\nwasm = 'DIR/seen.wat'"));
        assert_eq!(found, format!("mailsonde.toml:2: stage.{name}.wasm: {said}"));
    }
    assert_eq!(check(&folder, "[stage.\"any name\"]\nwasm = 'DIR/seen.wat'"), "find tasks verify");
}

#[test]
fn stages_that_are_meant_are_suggested() {
    let folder = Folder::new();
    folder.guest("seen", &witness("seen"));
    let plugin = "[stage.blocklist]\nwasm = 'DIR/seen.wat'\n";
    let pipeline = |stages| format!("{plugin}[pipeline.signup]\nstages = {stages}");
    assert_eq!(
        check(&folder, &pipeline("['syntax', 'blocklst']")),
        "mailsonde.toml:4: pipeline.signup.stages.1: unknown stage `blocklst`; did you mean `blocklist`?"
    );
    assert_eq!(check(&folder, &pipeline("['syntax', 'blocklist']")), "find signup tasks verify");
    let stop_on = |word| format!("{plugin}[stage.dns]\nstop_on = ['{word}']");
    assert_eq!(
        check(&folder, &stop_on("blocklst")),
        "mailsonde.toml:4: stage.dns.stop_on.0: nothing is called `blocklst`; did you mean `blocklist`?"
    );
    assert_eq!(
        check(&folder, &stop_on("syntax")),
        "mailsonde.toml:4: stage.dns.stop_on.0: the stage `syntax` has no opinions; only plugins have"
    );
    assert_eq!(check(&folder, &stop_on("blocklist")), "find tasks verify");
}

#[test]
fn an_opinion_that_comes_later_stops_nothing() {
    let folder = Folder::new();
    folder.guest("seen", &witness("seen"));
    let toml = |stages| {
        format!(
            "[stage.blocklist]\nwasm = 'DIR/seen.wat'\n[stage.dns]\nstop_on = ['blocklist']\n[pipeline.signup]\nstages = {stages}"
        )
    };
    assert_eq!(check(&folder, &toml("['syntax', 'blocklist', 'dns']")), "find signup tasks verify");
    assert_eq!(
        check(&folder, &toml("['syntax', 'dns', 'blocklist']")),
        "mailsonde.toml:4: stage.dns.stop_on.0: the stage `blocklist` does not stand before this one in the pipeline \
         `signup`"
    );
}

#[test]
fn a_pipeline_whose_order_cannot_work_is_refused() {
    let folder = Folder::new();
    folder.guest("first", &witness("first"));
    folder.guest("second", &witness("second").reads("first.seen").reads("dns.operator"));
    let toml = |stages| {
        format!(
            "[stage.first]\nwasm = 'DIR/first.wat'\n[stage.second]\nwasm = 'DIR/second.wat'\n[pipeline.signup]\nstages = {stages}"
        )
    };
    assert_eq!(check(&folder, &toml("['syntax', 'first', 'dns', 'second']")), "find signup tasks verify");
    for (stages, position, fact) in [
        ("['dns', 'second', 'first']", 1, "first.seen"),
        ("['first', 'second', 'dns']", 1, "dns.operator"),
        ("['dns', 'second']", 1, "first.seen"),
    ] {
        assert_eq!(
            check(&folder, &toml(stages)),
            format!(
                "mailsonde.toml:6: pipeline.signup.stages.{position}: stage `second` reads `{fact}`, which no earlier \
                 stage of the pipeline writes"
            )
        );
    }
}

#[test]
fn every_plugin_is_loaded_when_the_configuration_is_checked() {
    let folder = Folder::new();
    let toml = "[stage.unused]\nwasm = 'none.wasm'\n";
    let run = folder.run(Some(toml), &["config", "check"]);
    assert_eq!(run.status, Some(2), "{run:?}");
    // A relative path begins at the configuration file.
    let none = folder.path().join("none.wasm");
    assert!(
        run.stderr.contains("mailsonde.toml:2: stage.unused.wasm: ")
            && run.stderr.contains(none.to_str().unwrap())
    );
}

#[test]
fn secrets_of_plugins_are_masked() {
    let folder = Folder::new();
    folder.guest("seen", &witness("seen"));
    let toml = "[stage.mine]\nwasm = 'seen.wat'\nconfig = { api_key = 'hush', limit = 7 }\n";
    let shown = folder.run(Some(toml), &["config", "show"]).stdout;
    assert!(shown.contains("seen.wat") && shown.contains('7') && !shown.contains("hush"), "{shown}");
}
