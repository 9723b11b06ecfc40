//! Who offers and who demands encryption, and whose works. The client is that of OpenSSL.

use std::process::{Command, Stdio};

use mailsonde_tests::real::Lab;

use crate::client::{Session, assert_recipient};

fn offers_starttls(server: &str) -> bool {
    let mut session = Session::open(server);
    session.reply();
    session.say("EHLO probe.lab.test").contains("STARTTLS")
}

/// Whether a modern client gets through its handshake.
fn can_start_tls(server: &str) -> bool {
    let output = Command::new("timeout")
        .args(["10", "openssl", "s_client", "-brief", "-starttls", "smtp", "-connect"])
        .arg(Lab::shared().smtp(server).expect("a server of the map").to_string())
        .stdin(Stdio::null())
        .output()
        .expect("timeout");
    String::from_utf8_lossy(&output.stderr).contains("CONNECTION ESTABLISHED")
}

#[test]
fn some_servers_offer_encryption_and_some_demand_it() {
    assert!(!offers_starttls("ordinary"));
    for server in ["tls", "tls-required", "tls-broken", "tls-required-broken"] {
        assert!(offers_starttls(server), "{server}");
    }
    assert_recipient("tls", "jane.doe@tls.test", "250 2.1.5 ");
    assert_recipient("tls-broken", "jane.doe@tls-broken.test", "250 2.1.5 ");
    for server in ["tls-required", "tls-required-broken"] {
        let mut session = Session::open(server);
        session.reply();
        session.say("EHLO probe.lab.test");
        let reply = session.say("MAIL FROM:<probe@lab.test>");
        assert!(reply.starts_with("530 5.7.0 Must issue a STARTTLS command first"), "{reply}");
    }
}

#[test]
fn handshake_works_unless_it_is_broken() {
    assert!(can_start_tls("tls") && can_start_tls("tls-required"));
    assert!(!can_start_tls("tls-broken") && !can_start_tls("tls-required-broken"));
}
