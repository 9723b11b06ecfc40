//! The configuration as a whole: the file of defaults agrees with the code, and what is wrong is said where it stands.

use mailsonde_builtin::{
    alias, disposable, dns, domain_trust, free_provider, history, random_pattern, reverse_dns, role,
    smtp_probe, syntax, typo,
};
use mailsonde_config::{DEFAULT_TOML, Settings};
use mailsonde_engine::{Policy, STOP_WORDS};
use mailsonde_net::{DnsConfig, SmtpConfig};
use mailsonde_wasm::{PluginConfig, SLOT_DEADLINE};
use serde_json::Value;

/// What is said of a configuration, or what its pipelines are.
fn check(toml: &str) -> String {
    let settings = match Settings::from_parts(toml, &[]) {
        Ok(settings) => settings,
        Err(error) => return error.to_string(),
    };
    mailsonde::check(&settings).map_or_else(|error| format!("{error:#}"), |pipelines| pipelines.join(" "))
}

fn json(config: impl serde::Serialize) -> Value {
    serde_json::to_value(config).expect("a configuration is JSON")
}

/// The tables of the components, with the defaults that their code has.
fn defaults() -> Vec<(&'static str, Value)> {
    vec![
        ("dns", json(DnsConfig::default())),
        ("smtp", json(SmtpConfig::default())),
        ("judge", json(Policy::default())),
        ("stage.syntax", json(syntax::Config::default())),
        ("stage.typo", json(typo::Config::default())),
        ("stage.disposable", json(disposable::Config::default())),
        ("stage.free-provider", json(free_provider::Config::default())),
        ("stage.role", json(role::Config::default())),
        ("stage.alias", json(alias::Config::default())),
        ("stage.random-pattern", json(random_pattern::Config::default())),
        ("stage.history", json(history::Config::default())),
        ("stage.dns", json(dns::Config::default())),
        ("stage.domain-trust", json(domain_trust::Config::default())),
        ("stage.smtp-probe", json(smtp_probe::Config::default())),
        ("stage.reverse-dns", json(reverse_dns::Config::default())),
    ]
}

#[test]
fn the_file_of_defaults_says_what_the_code_does() {
    let file = toml::Value::Table(DEFAULT_TOML.parse().unwrap());
    for (path, defaults) in defaults() {
        let mut table = &file;
        for part in path.split('.') {
            table = table.get(part).unwrap_or_else(|| panic!("[{path}] is not in default.toml"));
        }
        for (key, value) in defaults.as_object().unwrap() {
            if value.as_object().is_some_and(serde_json::Map::is_empty) {
                continue; // an empty table is written by leaving it out
            }
            let written =
                table.get(key).unwrap_or_else(|| panic!("{key} of [{path}] is not in default.toml"));
            assert_eq!(plain(&json(written)), plain(value), "{key} of [{path}]");
        }
    }
}

/// A duration in the one spelling that both sides share.
fn plain(value: &Value) -> Value {
    match value.as_str().map(humantime::parse_duration) {
        Some(Ok(duration)) => json(duration),
        _ => value.clone(),
    }
}

/// A plugin has no table of its own in the file, but an example in a comment.
#[test]
fn the_example_of_a_plugin_has_its_defaults() {
    let lines = DEFAULT_TOML.lines().skip_while(|line| *line != "# [stage.blocklist]");
    let example: Vec<&str> = lines.map_while(|line| line.strip_prefix("# ")).collect();
    let example: toml::Table = example.join("\n").parse().unwrap();
    let mut table = example["stage"]["blocklist"].as_table().unwrap().clone();
    let deadline = table.remove("deadline").unwrap();
    assert_eq!(plain(&json(deadline)), plain(&json(SLOT_DEADLINE)));
    let defaults = json(PluginConfig::new("plugins/blocklist.wasm"));
    assert!(table.keys().eq(defaults.as_object().unwrap().keys()), "{table:?}");
    // Examples of values whose default is none.
    table.remove("sha256").unwrap();
    table.remove("config").unwrap();
    assert_eq!(json(table.try_into::<PluginConfig>().unwrap()), defaults);
}

#[test]
fn every_stop_word_is_explained() {
    for word in STOP_WORDS {
        assert!(DEFAULT_TOML.contains(&format!("\"{word}\"")), "{word}");
    }
}

#[test]
fn the_defaults_are_fine() {
    assert_eq!(check(""), "find tasks verify");
}

#[test]
fn pipelines_have_names_of_ones_own() {
    assert_eq!(check("[pipeline.signup]\nstages = ['syntax', 'disposable']"), "find signup tasks verify");
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    for (toml, expected) in [
        (
            "[pipeline.verify]\nstages = [\n  'syntax',\n  'disposible',\n]",
            "mailsonde.toml:4: pipeline.verify.stages.1: unknown stage `disposible`; did you mean `disposable`?",
        ),
        (
            "[pipeline.verify]\nstages = ['syntax', 'smtp-probe']",
            "mailsonde.toml:2: pipeline.verify.stages.1: stage `smtp-probe` reads `dns.route`, which no earlier stage of \
             the pipeline writes",
        ),
        (
            "[pipeline.verify]\nstages = ['syntax', 'role', 'role']",
            "mailsonde.toml:2: pipeline.verify.stages.2: stage `role` stands twice in the pipeline",
        ),
        (
            "[stage.dns]\nstop_on = ['disposible']",
            "mailsonde.toml:2: stage.dns.stop_on.0: nothing is called `disposible`; did you mean `disposable`?",
        ),
        (
            "[stage.sytnax]\n",
            "mailsonde.toml:1: stage.sytnax: unknown stage `sytnax`; did you mean `syntax`?",
        ),
        (
            "[stage.syntax]\npolcy = 'strict'",
            "mailsonde.toml:2: unknown key `polcy` in [stage.syntax]; did you mean `policy`?",
        ),
        ("[smpt]\nport = 25", "mailsonde.toml:1: unknown table [smpt]; did you mean `smtp`?"),
    ] {
        assert_eq!(check(toml), expected, "{toml}");
    }
}

#[test]
fn impossible_values_are_refused() {
    for toml in [
        "[smtp]\nport = 0",
        "[smtp]\nport = 'twenty-five'",
        "[smtp]\nmail_from = \"a@b>\\r\\nRCPT TO:<x@y\"",
        "[smtp]\ndestinations = 'everywhere'",
        "[smtp.operator.gogle]\nsessions_max = 1",
        "[dns]\nservers = ['not an address']",
        "[dns]\nattempts = 0",
        "[judge]\nrole = 'perhaps'",
        "[stage.dns]\ndeadline = '0s'",
        "[stage.dns]\ndeadline = 'soon'",
    ] {
        let said = check(toml);
        let place = if toml.starts_with("[smtp.operator") { "mailsonde.toml:" } else { "mailsonde.toml:2: " };
        assert!(said.starts_with(place), "{toml}: {said}");
    }
}
