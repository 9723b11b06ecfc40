//! A company's own blocklist, as a mailsonde plugin. The patterns come from the configuration and are sorted into
//! tables once, so that an address costs a few look-ups however long the list is.
//!
//! It looks at the address alone: what DNS or a mail server say is not asked.

mod config;
mod list;
mod pattern;

use std::{cell::RefCell, panic};

use config::Policy;
use exports::mailsonde::stage::plugin::{Description, Fact, Guest, Opinion, Outcome, Subject};
use mailsonde::stage::log;

wit_bindgen::generate!({ path: "wit", world: "pure" });

thread_local! {
    /// What `configure` prepared. An instance has one thread.
    static POLICY: RefCell<Option<Policy>> = const { RefCell::new(None) };
}

struct Blocklist;

impl Guest for Blocklist {
    fn describe() -> Description {
        Description {
            id: "blocklist".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            reads: vec![],
            may_read: vec![],
            writes: vec!["blocklist.rule".into()],
            batch_hint: 0,
        }
    }

    fn configure() -> Result<(), String> {
        // A trap says where it happened; only this says why.
        panic::set_hook(Box::new(|panicked| log::write(log::Level::Error, &panicked.to_string())));
        let policy = Policy::from_config()?;
        POLICY.set(Some(policy));
        Ok(())
    }

    fn check_many(subjects: Vec<Subject>) -> Vec<Outcome> {
        POLICY.with_borrow(|policy| {
            // A trap names the mistake better than outcomes that say "nothing blocked".
            let policy = policy.as_ref().expect("check-many was called before configure");
            subjects.into_iter().map(|subject| check(policy, subject)).collect()
        })
    }
}

/// The outcome for one subject. An input that is no address is left to others.
fn check(policy: &Policy, subject: Subject) -> Outcome {
    let nothing = Outcome { facts: vec![], opinion: None };
    let Some(mut address) = subject.address else { return nothing };
    // The domain is in lower case already. Mailboxes whose names differ in case alone are one mailbox everywhere
    // that matters to a blocklist.
    address.local.make_ascii_lowercase();
    let Some(pattern) = policy.blocked_by(&address.local, &address.domain) else { return nothing };
    Outcome {
        facts: vec![Fact { key: "blocklist.rule".into(), value: json_string(&pattern.text) }],
        opinion: Some(Opinion {
            category: policy.category,
            reason: if pattern.local.is_some() { "blocked_address" } else { "blocked_domain" }.into(),
            score: policy.score,
        }),
    }
}

/// `text` as JSON. Patterns hold no control characters, so two characters need an escape.
fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            json.push('\\');
        }
        json.push(character);
    }
    json.push('"');
    json
}

export!(Blocklist);
