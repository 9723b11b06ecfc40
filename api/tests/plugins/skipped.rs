//! Stages that are switched off, and what cannot run without them.

use mailsonde::{Parts, assemble};

use super::{Folder, asker, witness};

const TOML: &str = "[stage.operator-score]\nwasm = 'DIR/operator-score.wat'\n\
    [stage.second]\nwasm = 'DIR/second.wat'\n\
    [stage.asker]\nwasm = 'DIR/asker.wat'\ngrants = ['dns']\n\
    [stage.third]\nwasm = 'DIR/third.wat'\n\
    [stage.free]\nwasm = 'DIR/free.wat'\n\
    [pipeline.signup]\nstages = ['syntax', 'free', 'dns', 'operator-score', 'second', 'asker', 'third']\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.guest("operator-score", &witness("operator-score").reads("dns.operator"));
    folder.guest("second", &witness("second").reads("operator-score.seen"));
    folder.guest("asker", &asker());
    folder.guest("third", &witness("third").reads("asker.found"));
    folder.guest("free", &witness("free").may_read("dns.operator"));
    folder
}

/// Who runs, and what is said of those who cannot.
fn without(folder: &Folder, toml: &str, skips: &[&str]) -> Result<Vec<String>, String> {
    let settings = folder.settings(toml);
    let parts = Parts::new(&settings).unwrap();
    let assembled = assemble(&settings, &parts, "signup", skips).map_err(|error| format!("{error:#}"))?;
    Ok(assembled.bereft.iter().map(ToString::to_string).collect())
}

#[test]
fn a_stage_goes_with_those_that_it_reads() {
    let folder = folder();
    assert_eq!(without(&folder, TOML, &[]).unwrap(), [""; 0]);
    assert_eq!(
        without(&folder, TOML, &["dns"]).unwrap(),
        [
            "`operator-score` is switched off too: it reads `dns.operator`, which `dns` would have found",
            "`second` is switched off too: it reads `operator-score.seen`, which `operator-score` would have found",
        ]
    );
    // A plugin that is not even loaded is asked what it would write.
    assert_eq!(
        without(&folder, TOML, &["asker"]).unwrap(),
        ["`third` is switched off too: it reads `asker.found`, which `asker` would have found"]
    );
}

#[test]
fn what_is_switched_off_hides_no_wrong_order() {
    let folder = folder();
    let toml = TOML.replace("'dns', 'operator-score'", "'operator-score', 'dns'");
    for skips in [&[][..], &["dns"], &["asker", "dns"]] {
        let said = without(&folder, &toml, skips).unwrap_err();
        let wrong =
            "pipeline.signup.stages.2: stage `operator-score` reads `dns.operator`, which no earlier stage";
        assert!(said.contains(wrong), "{said}");
    }
}

#[test]
fn a_wrong_order_counts_more_than_what_is_switched_off() {
    let folder = folder();
    folder.guest("second", &witness("second").reads("dns.operator").reads("third.seen"));
    for skips in [&[][..], &["dns"]] {
        let said = without(&folder, TOML, skips).unwrap_err();
        assert!(
            said.contains("stages.4: stage `second` reads `third.seen`, which no earlier stage"),
            "{said}"
        );
    }
}

#[test]
fn offline_skips_plugins_that_ask_dns() {
    let folder = folder();
    let settings = folder.settings(TOML);
    let skips = mailsonde::offline_skips(&settings).unwrap();
    assert_eq!(skips, ["dns", "domain-trust", "smtp-probe", "reverse-dns", "asker"]);
    // One that the pipeline does not have is no matter for it.
    let toml = folder.toml(&format!("{TOML}[stage.unused]\nwasm = 'DIR/asker.wat'\ngrants = ['dns']\n"));
    let verify = |more: &[&str]| {
        let args = ["verify", "--offline", "--pipeline", "signup", "jane@a.example"];
        let run = folder.run(Some(&toml), &[&args, more].concat());
        assert_eq!(run.status, Some(0), "{run:?}");
        run
    };
    let run = verify(&["--explain"]);
    let said: Vec<_> = run.stderr.lines().collect();
    assert_eq!((said.len(), said[0]), (4, "`asker` is left out: it asks DNS"), "{said:?}");
    assert!(said[3].starts_with("`third` is switched off too"), "{said:?}");
    assert!(run.stdout.contains("free.seen = true") && !run.stdout.contains("second.seen"), "{}", run.stdout);
    assert_eq!(verify(&[]).stderr, "");
}
