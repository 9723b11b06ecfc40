//! A process that is asked to end.

use std::{
    net::TcpStream,
    thread::sleep,
    time::{Duration, Instant},
};

use mailsonde_tests::real::daemon::wait_until;

use crate::served::{LIMIT, Site, head};

const BODY: &[u8] = br#"{"email":"nobody@example.invalid"}"#;

#[test]
fn what_is_under_way_is_answered_and_nothing_new_is_taken() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    let mut busy = served.connect();
    busy.write(head("/api/v1/verify", &key, "", BODY.len()).as_bytes());
    busy.write(&BODY[..7]);
    let mut quiet = served.connect();
    quiet.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(quiet.answer().unwrap().status, 200);
    let mut fresh = served.connect();
    assert!(wait_until(LIMIT, || served
        .get("/metrics")
        .body
        .contains("mailsonde_http_requests_in_flight 2")));

    let (address, told) = (served.address, Instant::now());
    served.signal("TERM");
    assert!(wait_until(LIMIT, || TcpStream::connect(address).is_err()), "it takes no more connections");
    assert!(quiet.answer().is_none() && fresh.answer().is_none(), "those that are idle are closed");
    sleep(Duration::from_secs(1));
    busy.write(&BODY[7..]);
    let answer = busy.answer().expect("it is answered");
    assert_eq!((answer.status, answer.header("connection")), (200, "close"), "{answer:?}");
    assert!(served.ended(LIMIT).success());
    assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());
}

#[test]
fn the_second_signal_is_heeded_at_once() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    let mut busy = served.connect();
    busy.write(head("/api/v1/verify", &key, "", BODY.len()).as_bytes());
    assert!(wait_until(LIMIT, || served
        .get("/metrics")
        .body
        .contains("mailsonde_http_requests_in_flight 2")));
    let (address, told) = (served.address, Instant::now());
    served.signal("TERM");
    assert!(wait_until(LIMIT, || TcpStream::connect(address).is_err()));
    served.signal("INT");
    assert!(served.ended(LIMIT).success());
    assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());
    assert!(busy.answer().is_none());
}
