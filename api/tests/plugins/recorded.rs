//! A call of production as a case, which passes unchanged.

use std::fs;

use mailsonde_lab::Internet;

use super::{Folder, Run, asker, guest::Guest};

#[test]
fn a_recorded_call_passes_as_a_case() {
    let internet =
        Internet::parse("a.test TXT \"hello\"\nb.test MX 10 mx.b.test\nmx.b.test A 192.0.2.1", "").unwrap();
    let net = internet.listen().unwrap();
    let folder = Folder::new();
    folder.guest("asker", &asker().reads("dns.route").may_read("role.type").may_read("free_provider"));
    let toml = "[stage.asker]\nwasm = 'asker.wat'\ngrants = ['dns']\nconfig = { list = ['x', 1.5], name = \"it's\" }\n\
        [pipeline.signup]\nstages = ['syntax', 'role', 'dns', 'asker']\n";
    let record = |more: &[&str]| {
        let args = ["plugin", "record", "asker", "--pipeline", "signup"];
        let mut command = folder.command(Some(toml), &[&args, more].concat());
        Run::of(command.envs(net.environment()).output().unwrap())
    };
    let addresses = ["jane@a.test", "sales@b.test", "no address", "jane@c.test"];
    let run = record(&[&addresses[..], &["-o", "calls.toml"]].concat());
    assert_eq!(run.status, Some(0), "{run:?}");
    // Where the pipeline ends before the plugin there is no call.
    assert_eq!(run.stderr.lines().count(), 2, "{}", run.stderr);
    let text = fs::read_to_string(folder.path().join("calls.toml")).unwrap();
    for part in [
        "# This file holds addresses",
        "\"TXT a.test\" = [\"hello\"]",
        "\"TXT b.test\" = \"no-data\"",
        "\"role.type\" = \"sales\"",
        "expect.facts = { \"asker.found\" = true }",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("mx.b.test\" ="), "the questions of other stages are not the plugin's\n{text}");
    drop(net);

    let tested = folder.run(None, &["plugin", "test", "asker.wat", "--cases", "calls.toml"]);
    assert_eq!(
        (tested.status, tested.stdout.lines().last()),
        (Some(0), Some("2 cases passed")),
        "{tested:?}\n{text}"
    );
}

#[test]
fn only_plugins_of_the_pipeline_are_recorded() {
    let folder = Folder::new();
    folder.guest("asker", &asker());
    let toml = "[stage.asker]\nwasm = 'asker.wat'\ngrants = ['dns']\n";
    for (args, said) in [
        (&["asker", "j@a.example"][..], "there is no stage `asker`"),
        (
            &["syntax", "j@a.example"],
            "error: `syntax` is a built-in stage; only calls of plugins are recorded\n",
        ),
        (
            &["asker", "j@a.example", "--pipeline", "verfy"],
            "there is no pipeline `verfy`; did you mean `verify`?",
        ),
    ] {
        let run = folder.run(Some(toml), &[&["plugin", "record"], args].concat());
        assert!(run.status == Some(2) && run.stderr.contains(said), "{run:?}");
    }
}

#[test]
fn what_a_case_cannot_hold_is_not_recorded() {
    let folder = Folder::new();
    let holds = |name: &str| Guest::named(name).check("(call $see (local.get $outcome))");
    folder.guest("first", &holds("first"));
    folder.guest("second", &holds("second"));
    folder.guest("third", &holds("third").may_read("opinion"));
    let toml = "[stage.first]\nwasm = 'first.wat'\n[stage.second]\nwasm = 'second.wat'\n\
        [stage.third]\nwasm = 'third.wat'\n\
        [pipeline.one]\nstages = ['syntax', 'first', 'third']\n\
        [pipeline.two]\nstages = ['syntax', 'first', 'second', 'third']\n";
    let record = |pipeline| {
        folder.run(Some(toml), &["plugin", "record", "third", "--pipeline", pipeline, "j@a.example"])
    };
    assert_eq!(record("one").status, Some(0));
    let refused = record("two");
    assert_eq!(refused.status, Some(1));
    let why = "no call is recorded: it was handed two facts `opinion`, and a case holds one";
    assert!(refused.stderr.contains(why), "{refused:?}");
}
