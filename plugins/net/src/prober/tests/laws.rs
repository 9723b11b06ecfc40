//! What holds whatever the hosts say.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mailsonde_engine::DialogueStage;
use proptest::prelude::*;

use super::*;

/// What a host may do at a command.
fn deed() -> impl Strategy<Value = Say> {
    let line = prop::sample::select(vec![
        "250 ok",
        "250 ok",
        "550 5.1.1 no such user",
        "550",
        "550 5.7.1 we do not like you",
        "451 4.3.0 trouble",
        "450 4.2.0 greylisted",
        "452 4.5.3 too many recipients",
        "451 4.3.0 multiple destination domains per transaction",
        "450 4.7.1 too many recipients from you",
        "530 5.7.0 must issue a STARTTLS command first",
        "421 4.7.0 too many errors",
        "450 4.7.0 too many errors",
        "354 go on",
        "250 ok\r\n250 ok",
        "99",
    ]);
    prop_oneof![
        8 => line.prop_map(Say::line),
        1 => line_after(),
        1 => Just(Say::closing("421 4.3.2 bye")),
        1 => Just(Say::Close),
    ]
}

fn line_after() -> impl Strategy<Value = Say> {
    (1_u64..20).prop_map(|seconds| Say::after(Duration::from_secs(seconds), "250 ok"))
}

/// A host that does these things in turn, at MAIL now and then and at RCPT always.
fn fickle(deeds: Vec<Say>, pipelines: bool) -> Host {
    let turn = Arc::new(AtomicUsize::new(0));
    let (at_mail, at_rcpt) = (turn.clone(), deeds.clone());
    let next = |deeds: &[Say], turn: &AtomicUsize| deeds[turn.fetch_add(1, Relaxed) % deeds.len()].clone();
    let host = if pipelines { Host::default().pipelining() } else { Host::default() };
    host.on("MAIL", move |_| {
        let said = next(&deeds, &at_mail);
        if at_mail.load(Relaxed).is_multiple_of(5) { said } else { Say::line("250 ok") }
    })
    .on("RCPT", move |_| next(&at_rcpt, &turn))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// [`answers`] fails where a recipient has no answer, or two.
    #[test]
    fn everybody_gets_one_answer_and_in_time(
        scripts in prop::collection::vec(prop::collection::vec(deed(), 1..12), 1..4),
        recipients in 1_usize..40,
        domains in 1_usize..4,
        first_is_enough: bool,
        is_null_sender: bool,
        pipelines: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let names = ["a", "b", "c"];
            let net = scripts.into_iter().zip(names).fold(Net::default(), |net, (deeds, name)| {
                net.host(name, &format!("9.9.9.{}", name.as_bytes()[0]), &fickle(deeds, pipelines))
            });
            let mail_from = if is_null_sender { String::new() } else { config().mail_from };
            let (prober, _) = prober_with(Config { mail_from, ..config() }, net);
            let all: Vec<String> = (0..recipients).map(|n| format!("user{n}@d{}.test", n % domains)).collect();
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let stop = if first_is_enough { Stop::FirstAccepted } else { Stop::All };
            let asked = Ask { stop, ..ask(mx(&names), &all) };
            let deadline = asked.deadline;
            let found = answers(&prober, asked).await;
            assert_eq!(found.len(), recipients);
            // Timers tick in milliseconds.
            assert!(Instant::now() <= deadline + Duration::from_millis(2));
            // Only what was said of a mailbox counts against it.
            for answer in &found {
                if let Answer::Replied { reading, .. } = answer {
                    let speaks_of_it = reading.stage == DialogueStage::Rcpt && reading.code == 550;
                    let is_about_us = !speaks_of_it || reading.enhanced == Some([5, 7, 1]);
                    assert!(!is_about_us || reading.class != ReplyClass::NoSuchMailbox);
                }
            }
        });
    }
}
