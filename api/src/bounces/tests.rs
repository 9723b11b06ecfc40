//! Files of all kinds, read as a whole.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn times() -> Times {
    Times { unknown: at("2026-06-01T00:00:00Z"), now: at("2026-07-01T00:00:00Z") }
}

fn open(text: &str) -> Result<Bounces<&[u8]>, BouncesError> {
    Bounces::open(text.as_bytes(), times())
}

/// Lines and what is said there; of those who are gone, address and day.
fn rows(text: &str) -> Vec<(u64, String)> {
    let said = |said: Said| match said {
        Said::Gone(Bounce { address, seen_at }) => format!("{} {}", address.as_str(), seen_at.strftime("%F")),
        other => format!("{other:?}"),
    };
    open(text).unwrap().map(|row| row.unwrap()).map(|row| (row.line, said(row.said))).collect()
}

fn are(text: &str, expected: &[(u64, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(line, said)| (*line, (*said).to_owned())).collect();
    assert_eq!(rows(text), expected, "{text}");
}

#[test]
fn addresses_one_a_line() {
    are(
        "\u{feff}jane@example.org\r\n\n <Joe@Example.ORG>\nnobody\n\"jim@example.org\"",
        &[
            (1, "jane@example.org 2026-06-01"),
            (3, "Joe@example.org 2026-06-01"),
            (4, "NoAddress"),
            (5, "jim@example.org 2026-06-01"),
        ],
    );
    are("", &[]);
    are("\n\n", &[]);
}

#[test]
fn a_table_says_who_when_and_why() {
    are(
        "Email Address;Bounced At;Bounce Type;Reason\n\
         jane@example.org;2026-06-10;hard;550 5.1.1 User unknown\n\
         joe@example.org;2026-06-11 10:00;soft;452 4.2.2 Mailbox full\n\
         jim@example.org;;hard;550 5.7.1 blocked\n\
         jill@example.org;2026-06-12;;\n\
         \n\
         nobody;2026-06-12;hard;\n\
         june@example.org;06/12/2026;hard;\n\
         jake@example.org;2026-09-01;hard;\n\
         jack@example.org\n",
        &[
            (2, "jane@example.org 2026-06-10"),
            (3, "Passing"),
            (4, "AboutUs"),
            (5, "Unclear"),
            (7, "NoAddress"),
            (8, "NoDate"),
            // Nobody has seen what is yet to come.
            (9, "jake@example.org 2026-07-01"),
            (10, "Unclear"),
        ],
    );
}

#[test]
fn a_table_that_gives_no_reasons_is_a_list() {
    are("id,email\n7,jane@example.org", &[(2, "jane@example.org 2026-06-01")]);
    are("email\njane@example.org", &[(2, "jane@example.org 2026-06-01")]);
}

#[test]
fn rows_may_run_over_lines() {
    are(
        "email\tdiagnostic\n\
         jane@example.org\t\"550-5.1.1 No such\n550 5.1.1 \"\"user\"\"\"\n\
         joe@example.org\t5.2.2",
        &[(2, "jane@example.org 2026-06-01"), (4, "Passing")],
    );
}

#[test]
fn a_quote_too_many_costs_its_own_row_alone() {
    let many = "joe@example.org,5.1.1\n".repeat(10_000);
    let text = format!("email,status\njane@example.org,\"5.1.1\n{many}");
    let read = rows(&text);
    assert_eq!(read.len(), 10_001);
    assert!(read[1..].iter().all(|(_, said)| said == "joe@example.org 2026-06-01"), "{:?}", &read[..3]);
    let text = "email,status\njane@example.org,\"5.1.1\njoe@example.org,5.1.1";
    assert_eq!(rows(text).len(), 2);
}

#[test]
fn a_table_without_addresses_is_refused() {
    assert!(matches!(open("name,status\nJane,5.1.1"), Err(BouncesError::NoColumn)));
}

const POSTFIX: &str = "\
Return-Path: <>
Date: Wed, 10 Jun 2026 09:10:01 +0200 (CEST)
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Content-Type: multipart/report; report-type=delivery-status;
\tboundary=\"B72E61.1781075401/mx.example.net\"
MIME-Version: 1.0

This is a MIME-encapsulated message.

--B72E61.1781075401/mx.example.net
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

<jane@example.org>: host mx.example.org said: 550 5.1.1 no such user

--B72E61.1781075401/mx.example.net
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Tue,  9 Jun 2026 09:10:00 +0200 (CEST)

Final-Recipient: rfc822; jane@example.org
Original-Recipient: rfc822;jane@example.org
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.org
Diagnostic-Code: smtp; 550 5.1.1 <jane@example.org>: Recipient address
    rejected: User unknown in virtual mailbox table

Final-Recipient: rfc822; joe@example.org
Action: failed
Status: 5.7.1
Diagnostic-Code: smtp; 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked

Final-Recipient: rfc822; jim@example.org
Action: delayed
Status: 4.4.1
Last-Attempt-Date: Wed, 10 Jun 2026 09:10:01 +0200

--B72E61.1781075401/mx.example.net
Content-Type: message/rfc822

From: jill@example.net
Content-Type: multipart/report; boundary=inner

--inner
Content-Type: message/delivery-status

Final-Recipient: rfc822; enemy@example.org
Action: failed
Status: 5.1.1

--inner--
--B72E61.1781075401/mx.example.net--
";

#[test]
fn a_report_says_it_of_each_recipient_and_what_it_brings_along_says_nothing() {
    are(POSTFIX, &[(23, "jane@example.org 2026-06-09"), (31, "AboutUs"), (36, "Passing")]);
}

#[test]
fn an_mbox_holds_many() {
    let short = "\
From: postmaster@example.org
Content-Type: MULTIPART/REPORT; Boundary=b; report-type=delivery-status

--b
content-type: message/delivery-status

Reporting-MTA: dns;mx

Final-Recipient: RFC822;<jake@example.org>
Action: failed
Status: 5.2.1 (mailbox disabled)
Last-Attempt-Date: Mon, 1 Jun 2026 09:00:00 -0000
";
    let letter = "Subject: hello\n\nFrom here on it is a letter.\n";
    let mbox = format!(
        "From MAILER-DAEMON Wed Jun 10 09:10:01 2026\n{POSTFIX}\nFrom a@b Thu Jun 11\n{letter}\nFrom c@d  Fri Jun 12\n{short}"
    );
    let lines = u64::try_from(POSTFIX.lines().count()).unwrap();
    are(
        &mbox,
        &[
            (24, "jane@example.org 2026-06-09"),
            (32, "AboutUs"),
            (37, "Passing"),
            (lines + 3, "NoAddress"),
            (lines + 3 + 5 + 9, "jake@example.org 2026-06-01"),
        ],
    );
}

#[test]
fn a_message_that_reports_nothing_is_no_address() {
    are("Subject: hello\n\njane@example.org", &[(1, "NoAddress")]);
    are("Subject: hello", &[(1, "NoAddress")]);
}

#[test]
fn a_report_about_nobody_we_can_read_is_no_address() {
    let text = "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\nFinal-Recipient: rfc822;jane\nStatus: 5.1.1";
    are(text, &[(5, "NoAddress")]);
}

#[test]
fn memory_does_not_grow_with_what_is_read() {
    // Endless fields, parts and groups.
    let folded = format!(
        "Content-Type: message/delivery-status\n\nStatus: 5.1.1\n{}Final-Recipient: rfc822;jane@example.org\n",
        " more\n".repeat(100_000)
    );
    are(&folded, &[(3, "jane@example.org 2026-06-01")]);
}
