//! What Postfix bears of one client: errors, recipients, connections.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::Session;

#[test]
fn eleventh_recipient_is_one_too_many() {
    let mut session = Session::in_transaction("ten-recipients", "probe@lab.test");
    for number in 1..=10 {
        let reply = session.recipient(&format!("member{number}@ten-recipients.test"));
        assert!(reply.starts_with("250 2.1.5 "), "{number}: {reply}");
    }
    let reply = session.recipient("member11@ten-recipients.test");
    assert!(reply.starts_with("452 4.5.3 "), "{reply}");
}

#[test]
fn stock_server_slows_down_at_ten_errors_and_hangs_up_at_twenty() {
    let mut session = Session::in_transaction("stock-unknown", "probe@lab.test");
    let mut ask = |number: usize| {
        let before = Instant::now();
        (session.recipient(&format!("no.such{number}@stock-unknown.test")), before.elapsed())
    };
    let answers: Vec<_> = (1..=20).map(&mut ask).collect();
    assert!(answers.iter().all(|(reply, _)| reply.starts_with("550 5.1.1 ")), "{answers:#?}");
    let took = |part: &[(String, Duration)]| part.iter().map(|(_, took)| *took).sum::<Duration>();
    assert!(took(&answers[..9]) < Duration::from_secs(1), "{answers:#?}");
    assert!(took(&answers[10..]) >= Duration::from_secs(10), "{answers:#?}");
    let (last, _) = ask(21);
    assert!(last.starts_with("421 4.7.0 ") && last.ends_with("too many errors"), "{last}");
}

#[test]
fn one_error_is_all_that_some_servers_bear() {
    let mut session = Session::in_transaction("one-error", "probe@lab.test");
    assert!(session.recipient("member1@one-error.test").starts_with("250 2.1.5 "));
    assert!(session.recipient("no.such@one-error.test").starts_with("550 5.1.1 "));
    let reply = session.recipient("member2@one-error.test");
    assert!(reply.starts_with("421 4.7.0 ") && reply.ends_with("too many errors"), "{reply}");
}

#[test]
fn second_connection_is_one_too_many() {
    let mut first = Session::open("one-connection");
    assert!(first.reply().starts_with("220 "));
    let refusal = Session::open("one-connection").reply();
    assert!(refusal.starts_with("421 4.7.0 ") && refusal.contains("too many connections"), "{refusal}");
}

#[test]
fn twenty_first_recipient_in_a_moment_comes_too_soon() {
    let mut session = Session::in_transaction("paced", "probe@lab.test");
    let mut reply = |number: usize| session.recipient(&format!("member{number}@paced.test"));
    let replies: Vec<_> = (1..=21).map(&mut reply).collect();
    assert!(replies[..20].iter().all(|it| it.starts_with("250 ")), "{replies:?}");
    assert!(replies[20].starts_with("450 4.7.1 "), "{}", replies[20]);
    assert!(replies[20].contains("too many recipients"), "{}", replies[20]);
    thread::sleep(Duration::from_secs(4));
    assert!(reply(22).starts_with("250 "));
}

#[test]
fn null_sender_has_one_recipient() {
    let mut session = Session::in_transaction("no-bounces", "");
    assert!(session.recipient("member1@no-bounces.test").starts_with("250 "));
    let reply = session.recipient("member2@no-bounces.test");
    assert!(reply.starts_with("550 5.5.3 "), "{reply}");
}
