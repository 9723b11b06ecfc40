//! A process that is asked to end.

use std::{
    net::{TcpStream, UdpSocket},
    thread::sleep,
    time::{Duration, Instant},
};

use mailsonde_tests::{
    real::daemon::wait_until,
    site::{
        LIMIT, Site,
        client::{head, post},
    },
};

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
fn what_goes_on_without_its_client_is_finished_too() {
    const BODY: &[u8] = br#"{"email":"nobody@example.com"}"#;
    const HEADERS: &str = "Idempotency-Key: order-7\r\n";
    let names = UdpSocket::bind("127.0.0.1:0").unwrap();
    let servers = format!("[\"{}\"]", names.local_addr().unwrap());
    // They never answer, so the request takes its time, which is longer than that of the end of a process.
    let site = Site::new(&[("MAILSONDE_DNS__SERVERS", &servers), ("MAILSONDE_DNS__TIMEOUT", "3s")]);
    let key = site.key("acme");
    let served = site.serve();
    let mut client = served.connect();
    client.write(&post("/api/v1/verify", &key, HEADERS, BODY));
    names.recv_from(&mut [0; 4_096]).unwrap();
    drop(client);
    let is_alone = || served.get("/metrics").body.contains("mailsonde_http_requests_in_flight 1");
    assert!(wait_until(LIMIT, is_alone), "its client is known to have gone");
    let address = served.address;
    served.signal("TERM");
    assert!(wait_until(LIMIT, || TcpStream::connect(address).is_err()));
    assert!(served.ended(LIMIT).success());
    let served = site.serve();
    let again = served.post("/api/v1/verify", &key, HEADERS, BODY);
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"), "{again:?}");
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
