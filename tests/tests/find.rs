//! People are found, or it is said why not: the program as people run it, against a simulated mail internet.

#![allow(clippy::unwrap_used)] // tests, and what they share

use std::collections::HashSet;

use mailsonde_lab::{Internet, Net, Person, Verb, internet_of, people};
use mailsonde_tests::mailsonde::{Mailsonde, Run};
use serde_json::{Value, json};

/// Companies, and people at each.
const COMPANIES: usize = 20;
const AT_EACH: usize = 6;

fn find(net: &Net, args: &[&str], stdin: &str) -> Vec<Value> {
    let args: Vec<&str> = ["find", "--format", "jsonl"].iter().chain(args).copied().collect();
    Mailsonde::new(&args).env(net.environment()).stdin(stdin).json_lines().unwrap()
}

fn one(net: &Net, name: &str, domain: &str) -> Value {
    find(net, &[name, domain], "").pop().unwrap()
}

fn lines(people: &[Person]) -> String {
    let line = |person: &Person| {
        format!("{}\n", json!({ "full_name": person.full_name, "email_domain": person.domain }))
    };
    people.iter().map(line).collect()
}

#[test]
fn whoever_has_a_usual_address_is_found_and_nobody_else() {
    let people = people(11, COMPANIES, AT_EACH);
    let net = internet_of(&people).unwrap().listen().unwrap();
    let told = find(&net, &["-"], &lines(&people));
    assert_eq!(told.len(), people.len());
    let (mut usual, mut found) = (0, 0);
    for (person, told) in people.iter().zip(&told) {
        assert_eq!(told["input"]["full_name"], *person.full_name);
        match (&person.address, person.is_usual) {
            (Some(address), true) => {
                usual += 1;
                found += usize::from(told["outcome"] == "found" && told["address"] == **address);
            }
            _ => assert_eq!(
                (&told["outcome"], &told["address"]),
                (&json!("not_found"), &Value::Null),
                "{told}"
            ),
        }
    }
    assert!(usual >= 60 && found * 100 >= usual * 99, "{found} of {usual}");
    let counts = net.internet().counts();
    assert_eq!(counts.total.commands_of(Verb::Data), 0);
    // At companies with usual addresses, where people are looked for together; strangers are people too.
    let usual: Vec<&Person> = people.iter().filter(|person| person.is_usual).collect();
    let hosts: HashSet<String> = usual.iter().map(|person| format!("mx.{}", person.domain)).collect();
    let sessions: u64 = hosts.iter().map(|host| counts.hosts[host].connections).sum();
    assert!(sessions * 10 <= 11 * usual.len() as u64, "{sessions} sessions for {} people", usual.len());
}

/// A company that takes mail for everybody, one that takes none, one that does not know strangers yet, and one whose web
/// site has a name of its own.
fn companies() -> Net {
    let zone = "all.test MX 10 mx.all.test\n\
                null.test MX 0 .\n\
                grey.test MX 10 mx.grey.test\n\
                acme.test MX 10 mx.acme.test\n\
                shop.acme.test TXT \"no mail here\"";
    let hosts = "[host.\"mx.all.test\"]\naccepts = ['*']\n\
                 [host.\"mx.grey.test\"]\naccepts = ['jane.doe@grey.test']\ngreylist.delay = '5m'\n\
                 [host.\"mx.acme.test\"]\naccepts = ['jane.doe@acme.test']";
    Internet::parse(zone, hosts).unwrap().listen().unwrap()
}

#[test]
fn where_everybody_is_accepted_nobody_is_found() {
    let told = one(&companies(), "Jane Doe", "all.test");
    assert_eq!((&told["outcome"], &told["address"]), (&json!("error"), &Value::Null));
    assert_eq!((&told["category"], &told["is_catch_all"]), (&json!("accept_all"), &json!(true)));
    assert_eq!(told["guess"]["address"], "jane.doe@all.test");
    let chance = told["guess"]["chance"].as_f64().unwrap();
    assert!((0.1..0.9).contains(&chance), "{chance}");
}

#[test]
fn where_there_is_no_mail_nobody_is_found() {
    let net = companies();
    for (domain, reason) in [("null.test", "null_mx"), ("nowhere.test", "domain_not_found")] {
        let told = one(&net, "Jane Doe", domain);
        assert_eq!((&told["outcome"], &told["reason"]), (&json!("not_found"), &json!(reason)), "{told}");
    }
}

#[test]
fn where_anyone_can_open_a_mailbox_nobody_is_looked_for() {
    let net = companies();
    let told = one(&net, "Jane Doe", "gmail.com");
    assert_eq!(
        (&told["outcome"], &told["address"], &told["guess"]),
        (&json!("error"), &Value::Null, &Value::Null)
    );
    assert_eq!(net.internet().counts().total.connections, 0);
    let human = Mailsonde::new(&["find", "Jane Doe", "gmail.com"]).env(net.environment()).run().unwrap();
    assert!(human.stdout.contains("namesakes"), "{}", human.stdout);
}

#[test]
fn a_server_that_wants_us_later_leaves_it_open() {
    let told = one(&companies(), "Jane Doe", "grey.test");
    assert_eq!((&told["outcome"], &told["reason"]), (&json!("error"), &json!("greylisted")), "{told}");
}

#[test]
fn a_web_site_leads_to_its_company() {
    for domain in ["https://shop.acme.test/about", "www.acme.test", "ACME.test"] {
        let told = one(&companies(), "Jane Doe", domain);
        assert_eq!(told["address"], "jane.doe@acme.test", "{domain}: {told}");
        assert_eq!((&told["format"], &told["outcome"]), (&json!("first.last"), &json!("found")));
    }
}

#[test]
fn explained_it_says_what_became_of_each_address() {
    let net = companies();
    let told = find(&net, &["--explain", "John Smith", "acme.test"], "").pop().unwrap();
    assert_eq!(told["outcome"], "not_found");
    let candidates = told["candidates"].as_array().unwrap();
    assert!(candidates.len() > 10 && candidates.iter().all(|candidate| candidate["mailbox"] == "not_found"));
    let recipients = net.internet().counts().total.commands_of(Verb::Rcpt);
    let asked = candidates.len() as u64;
    assert!(
        (asked..=asked + 1).contains(&recipients),
        "each once, and one random recipient at most: {recipients}"
    );
    let human = Mailsonde::new(&["find", "John Smith", "acme.test"]).env(net.environment()).run().unwrap();
    assert!(human.stdout.contains("refuses each address that is usual"), "{}", human.stdout);
}

#[test]
fn a_colleague_tells_how_a_company_makes_addresses() {
    let first = |args: &[&str]| {
        let args: Vec<&str> =
            ["find", "--candidates", "--format", "jsonl"].iter().chain(args).copied().collect();
        let told = Mailsonde::new(&args).json_lines().unwrap().pop().unwrap();
        told["candidates"][0]["address"].as_str().unwrap().to_owned()
    };
    assert_eq!(first(&["Ann Miller", "acme.test"]), "ann.miller@acme.test");
    let colleagues = ["--colleague", "jdoe@acme.test", "--colleague", "pjones@acme.test"];
    assert_eq!(first(&[&["Ann Miller", "acme.test"], &colleagues[..]].concat()), "amiller@acme.test");
    assert_eq!(first(&[&["Ann Miller", "other.test"], &colleagues[..]].concat()), "ann.miller@other.test");
}

#[test]
fn lines_that_are_wrong_keep_their_places() {
    let stdin = "{\"full_name\":\"Jane Doe\",\"email_domain\":\"acme.test\"}\nJane Doe\tacme.test\n17\tacme.test\nnonsense\n\
                 {\"full_name\":\"Jane Doe\",\"email_domain\":\"192.0.2.1\"}\n";
    let told = find(&companies(), &["-"], stdin);
    let outcomes: Vec<&Value> = told.iter().map(|told| &told["outcome"]).collect();
    assert_eq!(outcomes, ["found", "found", "not_found", "not_found", "not_found"]);
    let reasons: Vec<&Value> = told.iter().map(|told| &told["reason"]).collect();
    assert_eq!(reasons[2..], ["bad_local_part", "bad_domain", "bad_domain"]);
}

#[test]
fn usage_is_told() {
    let run = |args: &[&str]| -> Run { Mailsonde::new(args).run().unwrap() };
    for args in [
        &["find", "Jane Doe"][..],
        &["find", "Jane Doe", "localhost"],
        &["find", "17", "acme.test"],
        &["find", "-", "acme.test"],
    ] {
        let run = run(args);
        assert_eq!((run.status.code(), &*run.stdout), (Some(2), ""), "{args:?}: {}", run.stderr);
    }
}
