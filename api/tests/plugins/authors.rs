//! What authors type: `plugin inspect`, `plugin test`, `plugin bench`.

use std::{
    fs::{self, File},
    time::{Duration, SystemTime},
};

use serde_json::Value;

use super::{Folder, accuser, asker, guest::Guest, witness};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_component_is_looked_at() {
    let folder = Folder::new();
    folder.guest("asker", &asker().reads("dns.route").may_read("role.type").version("1.2.3").batch_hint(7));
    let human = folder.run(None, &["plugin", "inspect", "asker.wat"]);
    assert_eq!((human.status, &*human.stderr), (Some(0), ""));
    for line in [
        "plugin    asker 1.2.3",
        "world     with-dns",
        "reads     dns.route",
        "may read  role.type",
        "writes    asker.found",
        "imports   mailsonde:stage/dns@1.0.0",
        "grants = [\"dns\"]",
    ] {
        assert!(human.stdout.lines().any(|found| found == line), "{line}\n{}", human.stdout);
    }
    let told = json(&folder.run(None, &["plugin", "inspect", "--json", "asker.wat"]).stdout);
    assert_eq!((&told["id"], &told["limits"]["call_subjects"]), (&"asker".into(), &7.into()));
    // The line of the digest can be pasted: it loads this file, and after a change it does not.
    let pin = human.stdout.lines().find(|line| line.starts_with("sha256 = ")).unwrap();
    let toml = format!("[stage.mine]\nwasm = 'asker.wat'\ngrants = ['dns']\n{pin}\n");
    assert_eq!(folder.run(Some(&toml), &["config", "check"]).status, Some(0));
    folder.guest("asker", &asker());
    let changed = folder.run(Some(&toml), &["config", "check"]);
    assert!(
        changed.status == Some(2) && changed.stderr.contains("mailsonde.toml:4: stage.mine.sha256"),
        "{changed:?}"
    );
}

#[test]
fn what_is_no_component_is_said_in_one_line() {
    let folder = Folder::new();
    folder.write("empty/plugin.toml", "language = \"rust\"\n");
    folder.write("text.wasm", "hello");
    for (args, status, said) in [
        (["plugin", "inspect", "none.wasm"], 2, "none.wasm: No such file"),
        (["plugin", "inspect", "."], 2, "neither a component nor the folder of a plugin"),
        (["plugin", "bench", "empty"], 2, "no component is built yet: `mailsonde plugin build empty`"),
        (["plugin", "inspect", "text.wasm"], 1, "no WebAssembly component: "),
        (["plugin", "test", "text.wasm"], 2, "there are no cases"),
    ] {
        let run = folder.run(None, &args);
        assert!(run.status == Some(status) && run.stderr.contains(said), "{args:?} {run:?}");
    }
}

#[test]
fn a_project_in_text_is_built() {
    let folder = Folder::new();
    folder.write("asker/asker.wat", asker().wat());
    let build = |world: &str| {
        folder.write("asker/plugin.toml", format!("language = \"wat\"\nworld = \"{world}\"\n"));
        folder.run(None, &["plugin", "build", "asker"])
    };
    let narrow = build("with-cache");
    let said =
        "error: plugin.toml says world = \"with-cache\", but the component imports what is in \"with-dns\"\n";
    assert_eq!((narrow.status, &*narrow.stderr), (Some(1), said));
    let component = folder.path().join("asker/build/asker.wasm");
    assert!(!component.exists(), "a component that is refused is there");
    assert_eq!(build("full").status, Some(0));
    assert!(component.is_file());
    let garbled = build("all");
    assert!(garbled.status == Some(2) && garbled.stderr.contains("asker/plugin.toml:2: "), "{garbled:?}");
}

const CASES: &str = r#"
[[case]]
name = "one that begins so"
address = "xavier@a.example"
expect.opinion = { category = "high_risk", reason = "begins_with_x", score = 0.9 }

[[case]]
name = "a score need not be given"
address = "xavier@a.example"
expect.opinion = { category = "high_risk", reason = "begins_with_x" }

[[case]]
name = "another one"
address = "jane@a.example"

[[case]]
name = "an input that no stage has parsed"
input = "xy"
expect.opinion = { category = "high_risk", reason = "begins_with_x" }
"#;

#[test]
fn cases_pass() {
    let folder = Folder::new();
    folder.write("accuser/accuser.wat", accuser("accuser").wat());
    folder.write("accuser/cases.toml", CASES);
    for args in [
        &["plugin", "test", "accuser"][..],
        &["plugin", "test", "accuser/accuser.wat"],
        &["plugin", "test", "accuser", "--cases", "accuser/cases.toml"],
    ] {
        let run = folder.run(None, args);
        assert_eq!((run.status, run.stdout.lines().last()), (Some(0), Some("4 cases passed")), "{run:?}");
        assert!(run.stdout.starts_with("✓ one that begins so\n"), "{}", run.stdout);
    }
}

#[test]
fn a_component_that_is_older_than_its_sources_is_told_of() {
    let folder = Folder::new();
    folder.write("accuser/cases.toml", CASES);
    // Only its time matters of a source: what was built of it stands there already.
    folder.write("accuser/build/accuser.wasm", accuser("accuser").wat());
    let built = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let changed = |name: &str, time: SystemTime| {
        let file = File::options().create(true).append(true).open(folder.path().join(name)).unwrap();
        file.set_modified(time).unwrap();
    };
    changed("accuser/build/accuser.wasm", built);
    fs::create_dir_all(folder.path().join("accuser/src/rules")).unwrap();
    fs::create_dir_all(folder.path().join("accuser/target/src")).unwrap();
    let warning = |language: &str, command: &str| {
        folder.write("accuser/plugin.toml", format!("language = \"{language}\"\nworld = \"pure\"\n"));
        let run = folder.run(None, &["plugin", command, "accuser"]);
        assert_eq!(run.status, Some(0), "{run:?}");
        run.stderr
    };
    let (earlier, later) = (built - Duration::from_secs(1), built + Duration::from_secs(1));
    let all = [
        ("rust", "src/rules/suffix.rs"),
        ("rust", "Cargo.toml"),
        ("c", "check.h"),
        ("javascript", "check.js"),
        ("python", "check.py"),
    ];
    for (_, source) in all {
        changed(&format!("accuser/{source}"), earlier);
    }
    for other in ["notes.txt", "target/src/generated.rs", "build/plugin.h"] {
        changed(&format!("accuser/{other}"), later);
    }
    for (language, source) in all {
        let source = format!("accuser/{source}");
        for time in [earlier, built] {
            changed(&source, time);
            assert_eq!(warning(language, "test"), "");
        }
        changed(&source, later);
        let said = format!(
            "warning: {source} is newer than the component; `mailsonde plugin build` makes it anew\n"
        );
        assert_eq!(warning(language, "test"), said);
        changed(&source, earlier);
    }
    changed("accuser/check.c", later);
    assert!(warning("c", "bench").starts_with("warning: accuser/check.c is newer"));
    // Text is what runs, and a file that is named is what is meant.
    assert_eq!(warning("wat", "test"), "");
    let run = folder.run(None, &["plugin", "test", "accuser/build/accuser.wasm"]);
    assert_eq!((run.status, &*run.stderr), (Some(0), ""), "{run:?}");
}

/// The output of a run in which this case must fail.
fn failing(guest: &Guest, case: &str) -> String {
    let folder = Folder::new();
    folder.guest("mine", guest);
    folder.write("cases.toml", format!("[[case]]\nname = 'it'\n{case}\n"));
    let run = folder.run(None, &["plugin", "test", "mine.wat"]);
    assert_eq!((run.status, run.stderr.trim()), (Some(1), "error: 1 of 1 cases failed"), "{run:?}");
    assert!(
        run.stdout.starts_with("✗ it (./cases.toml:1)\n") || run.stdout.starts_with("✗ it (cases.toml:1)\n"),
        "{run:?}"
    );
    run.stdout
}

#[test]
fn a_case_that_fails_says_what_was_expected_and_what_came() {
    let told =
        failing(&witness("mine"), "address = 'jane@a.example'\nexpect.facts = { 'mine.seen' = false }");
    assert!(told.contains("expected  mine.seen = false\n    came      mine.seen = true\n"), "{told}");
    let told = failing(&witness("mine"), "address = 'jane@a.example'");
    assert!(told.contains("expected  neither opinion nor facts\n"), "{told}");
    let said = "expect.opinion = { category = 'risky', reason = 'begins_with_x' }";
    let told = failing(&accuser("mine"), &format!("address = 'xavier@a.example'\n{said}"));
    assert!(
        told.contains("expected  risky · begins_with_x\n    came      high_risk · begins_with_x 0.9\n"),
        "{told}"
    );
    let told = failing(&accuser("mine"), "address = 'jane@a.example'\nexpect.refused = 'no'");
    assert!(told.contains("expected  the configuration refused: no\n"), "{told}");
    let told = failing(&witness("mine").when_struck("(unreachable)"), "address = 'xavier@a.example'");
    assert!(told.contains("came      a fault: it trapped"), "{told}");
}

#[test]
fn a_question_that_the_case_does_not_list_is_named() {
    let told = failing(&asker(), "address = 'jane@a.example'\nexpect.facts = { 'asker.found' = false }");
    assert!(told.contains("asked     `TXT a.example`, which the case does not list under `dns`"), "{told}");
}

#[test]
fn cases_have_dns_facts_and_configuration_of_their_own() {
    let folder = Folder::new();
    folder.guest("asker", &asker());
    folder.write(
        "cases.toml",
        r#"
        [[case]]
        name = "records"
        address = "jane@a.example"
        dns = { "TXT a.example" = ["x"] }
        expect.facts = { "asker.found" = true }
        [[case]]
        name = "no such domain"
        address = "jane@a.example"
        dns = { "TXT A.example." = "no-domain" }
        expect.facts = { "asker.found" = false }
        "#,
    );
    let run = folder.run(None, &["plugin", "test", "asker.wat"]);
    assert_eq!((run.status, run.stdout.lines().last()), (Some(0), Some("2 cases passed")), "{run:?}");

    let reader = Guest::named("reader")
        .reads("role.type")
        .check("(if (i32.load offset=32 (local.get $subject)) (then (call $see (local.get $outcome))))");
    folder.guest("reader", &reader);
    folder.write(
        "facts.toml",
        r#"
        [[case]]
        name = "with the fact"
        address = "sales@a.example"
        facts = { "role.type" = "sales", "free_provider" = true }
        expect.opinion = { category = "risky", reason = "seen" }
        [[case]]
        name = "without it"
        address = "jane@a.example"
        facts = { "free_provider" = true }
        "#,
    );
    let run = folder.run(None, &["plugin", "test", "reader.wat", "--cases", "facts.toml"]);
    assert_eq!(run.status, Some(0), "{run:?}");
}

#[test]
fn refusals_are_cases_too() {
    let folder = Folder::new();
    let refusing = Guest::named("mine")
        .text("message", "blocked: a list is missing")
        .configure("(call $refuse (global.get $message) (global.get $message_len))");
    folder.guest("mine", &refusing);
    let case = |expect: &str| {
        folder.write("cases.toml", format!("[[case]]\nname = 'it'\naddress = 'j@a.example'\n{expect}\n"));
        folder.run(None, &["plugin", "test", "mine.wat"])
    };
    assert_eq!(case("expect.refused = 'a list is missing'").status, Some(0));
    let other = case("expect.refused = 'a table is missing'");
    assert!(
        other.status == Some(1) && other.stdout.contains("came      the configuration refused: blocked"),
        "{other:?}"
    );
    assert_eq!(case("").status, Some(1));
}

#[test]
fn a_mistake_in_the_cases_has_file_and_line() {
    let folder = Folder::new();
    folder.guest("mine", &witness("mine"));
    for (text, said) in [
        ("[[case]]\nname = 'x'\nadress = 'a@b.example'\n", "cases.toml:3: unknown key `adress`"),
        (
            "[[case]]\nname = 'x'\naddress = 'a@b.example'\nfacts = { 'role.type' = 5 }\n",
            "cases.toml:4: the value does not fit",
        ),
        ("", "cases.toml: no case in it"),
    ] {
        folder.write("cases.toml", text);
        let run = folder.run(None, &["plugin", "test", "mine.wat"]);
        assert!(run.status == Some(2) && run.stderr.contains(said), "{run:?}");
    }
}

#[test]
fn what_a_plugin_costs_is_measured() {
    let folder = Folder::new();
    folder.guest("mine", &accuser("mine"));
    let cost = json(&folder.run(None, &["plugin", "bench", "--json", "mine.wat"]).stdout);
    let items: Vec<_> = cost["batches"].as_array().unwrap().iter().map(|batch| &batch["items"]).collect();
    assert_eq!(items, [1, 100, 1_000]);
    for batch in cost["batches"].as_array().unwrap() {
        assert!(batch["warm_us_per_item"].as_f64().unwrap() > 0.0, "{cost}");
        assert!(batch["fresh_us_per_item"].as_f64().unwrap() > 0.0, "{cost}");
    }
    assert!(cost["first_load_us"].as_f64().unwrap() > cost["load_us"].as_f64().unwrap(), "{cost}");
    let human = folder.run(None, &["plugin", "bench", "mine.wat"]).stdout;
    assert!(human.contains("µs an item, in a batch of") && human.contains("fresh instance"), "{human}");
}
