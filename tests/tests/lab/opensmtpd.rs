//! OpenSMTPD: two refusals of its own, and no patience with pipelines.

use mailsonde_tests::real::Lab;
use mailsonde_tests::real::daemon::wait_until;
use std::time::Duration;

use crate::client::{Session, assert_recipient};

#[test]
fn opensmtpd_knows_its_mailboxes() {
    assert_recipient("opensmtpd", "jane.doe@opensmtpd.test", "250 2.1.5 ");
    assert_recipient(
        "opensmtpd",
        "no.such@opensmtpd.test",
        "550 Invalid recipient: <no.such@opensmtpd.test>",
    );
    assert_recipient("opensmtpd", "jane.doe@opensmtpd-expands.test", "250 2.1.5 ");
    assert_recipient(
        "opensmtpd",
        "no.such@opensmtpd-expands.test",
        "524 5.2.4 Mailing list expansion problem",
    );
}

#[test]
fn opensmtpd_ends_a_pipeline_with_the_session() {
    let mut session = Session::open("opensmtpd");
    assert!(session.reply().starts_with("220 "));
    session.send("EHLO probe.lab.test\r\nMAIL FROM:<probe@lab.test>\r\n");
    let reply = session.reply();
    assert!(reply.starts_with("500 5.5.1 "), "{reply}");
    let is_logged = || Lab::shared().opensmtpd_log().unwrap().contains("Pipelining not supported");
    assert!(wait_until(Duration::from_secs(5), is_logged));
}
