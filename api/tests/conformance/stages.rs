//! The stages that are held to the laws. Adding one is adding a line.

use std::sync::Arc;

use mailsonde_builtin::{
    alias, disposable, dns, domain_trust, finder_permutation, free_provider, history, lists::Lists,
    random_pattern, reverse_dns, role, smtp_probe, syntax, typo,
};
use mailsonde_engine::{Check, Pure, Resolver, Stage};
use mailsonde_wasm::{Grant, Host, InstanceKind, PluginConfig};

use crate::{
    guest::Guest,
    world::{FakeDns, FakeFormats, FakeHistory, FakeProber},
};

/// A stage under its name.
pub(crate) struct Candidate {
    pub(crate) name: &'static str,
    pub(crate) build: fn() -> Arc<dyn Stage>,
}

pub(crate) const STAGES: &[Candidate] = &[
    Candidate { name: "syntax", build: || pure(syntax::Syntax::new(syntax::Config::default())) },
    Candidate {
        name: "typo",
        build: || {
            let lists = lists();
            pure(typo::Typo::new(
                &typo::Config::default(),
                Arc::new(move |name| lists.is_free_provider(name)),
            ))
        },
    },
    Candidate {
        name: "disposable",
        build: || pure(disposable::Disposable::new(&disposable::Config::default(), lists()).unwrap()),
    },
    Candidate {
        name: "free-provider",
        build: || pure(free_provider::FreeProvider::new(&free_provider::Config::default(), lists()).unwrap()),
    },
    Candidate { name: "role", build: || pure(role::Role::new(&role::Config::default())) },
    Candidate {
        name: "alias",
        build: || pure(alias::Alias::new(&alias::Config::default(), lists()).unwrap()),
    },
    Candidate {
        name: "random-pattern",
        build: || pure(random_pattern::RandomPatternStage::new(random_pattern::Config::default())),
    },
    Candidate {
        name: "history",
        build: || Arc::new(history::Recall::new(history::Config::default(), Arc::new(FakeHistory))),
    },
    Candidate {
        name: "finder-permutation",
        build: || {
            let config = finder_permutation::Config::default();
            let (formats, resolver) = (Arc::new(FakeFormats), Arc::new(FakeDns));
            Arc::new(finder_permutation::FinderPermutation::new(
                config,
                Arc::new(|_| false),
                formats,
                resolver,
            ))
        },
    },
    Candidate {
        name: "dns",
        build: || Arc::new(dns::Dns::new(dns::Config::default(), Arc::new(FakeDns), lists())),
    },
    Candidate {
        name: "domain-trust",
        build: || {
            let config = domain_trust::Config::default();
            Arc::new(domain_trust::DomainTrust::new(&config, Arc::new(FakeDns), lists()).unwrap())
        },
    },
    Candidate {
        name: "smtp-probe",
        build: || Arc::new(smtp_probe::SmtpProbe::new(smtp_probe::Config::default(), Arc::new(FakeProber))),
    },
    Candidate {
        name: "reverse-dns",
        build: || {
            let config = reverse_dns::Config::default();
            Arc::new(reverse_dns::ReverseDns::new(config, Arc::new(FakeDns), Arc::new(|_| true)))
        },
    },
    Candidate { name: "plugin-fresh", build: || plugin("plugin-fresh", &measuring(), |_| {}) },
    Candidate {
        name: "plugin-warm",
        build: || plugin("plugin-warm", &measuring(), |config| config.instance = InstanceKind::Warm),
    },
    Candidate {
        name: "plugin-small-calls",
        build: || plugin("plugin-small-calls", &measuring().batch_hint(2), |config| config.instances_max = 1),
    },
    Candidate {
        name: "plugin-dns",
        build: || plugin("plugin-dns", &asking(), |config| config.grants = vec![Grant::Dns]),
    },
];

fn pure(check: impl Check + 'static) -> Arc<dyn Stage> {
    Arc::new(Pure(check))
}

fn lists() -> Arc<Lists> {
    Arc::new(Lists::embedded())
}

fn plugin(name: &str, guest: &Guest, change: fn(&mut PluginConfig)) -> Arc<dyn Stage> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plugin.wat");
    std::fs::write(&file, guest.wat()).unwrap();
    let mut config = PluginConfig::new(file);
    change(&mut config);
    let resolver: Arc<dyn Resolver> = Arc::new(FakeDns);
    Arc::new(Host::new(None).unwrap().load(name, config, resolver).unwrap())
}

/// Holds those risky whose input is long, and says how long, as far as one digit goes.
fn measuring() -> Guest {
    Guest::named("measuring")
        .writes("measuring.digit")
        .may_read("dns.route")
        .text("key", "measuring.digit")
        .check(
            "(if (i32.gt_u (i32.load offset=4 (local.get $subject)) (i32.const 16))
           (then (call $see (local.get $outcome))))
         (local.set $scratch (call $alloc (i32.const 1) (i32.const 1)))
         (i32.store8 (local.get $scratch)
           (i32.add (i32.const 0x30) (i32.rem_u (i32.load offset=4 (local.get $subject)) (i32.const 10))))
         (call $fact (local.get $outcome)
           (global.get $key) (global.get $key_len) (local.get $scratch) (i32.const 1))",
        )
}

/// Holds those risky whose domain has an address (0 is `found`), if it can be asked for at all.
fn asking() -> Guest {
    Guest::named("asking").imports("lookup-many").check(
        "(if (i32.load8_u offset=8 (local.get $subject))
           (then
             (i32.store (i32.const 16) (i32.load offset=20 (local.get $subject)))
             (i32.store (i32.const 20) (i32.load offset=24 (local.get $subject)))
             (i32.store8 (i32.const 24) (i32.const 0))
             (call $lookup-many (i32.const 16) (i32.const 1) (i32.const 64))
             (if (i32.eqz (i32.load8_u (i32.load (i32.const 64))))
               (then (call $see (local.get $outcome))))))",
    )
}
