//! Clients that take their time: they are cut off, and nobody else hears of it.

use std::{
    thread::{self, sleep},
    time::{Duration, Instant},
};

use mailsonde_tests::site::{Site, client::head};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn who_is_too_slow_is_cut_off_and_others_are_served() {
    let site = Site::new(&[("MAILSONDE_HTTP__IDLE_MAX", "20s")]);
    let key = site.key("acme");
    let served = site.serve();
    let is_over = |limit: u64, took: Duration| {
        assert!((limit..limit + 5).contains(&took.as_secs()), "{took:?}, not {limit} s");
    };
    thread::scope(|scope| {
        // A head, an octet a second.
        scope.spawn(|| {
            let (mut connection, began) = (served.connect(), Instant::now());
            let head =
                b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
            for octet in head {
                // The second octet after the end finds it closed.
                if !connection.write(&[*octet]) {
                    break;
                }
                sleep(SECOND);
            }
            assert!(connection.answer().is_none());
            is_over(10, began.elapsed());
        });
        // A body that does not come to its end.
        scope.spawn(|| {
            let (mut connection, began) = (served.connect(), Instant::now());
            connection.write(head("/api/v1/verify", &key, "", 100).as_bytes());
            connection.write(b"{\"email\":");
            let answer = connection.answer().expect("an answer");
            answer.is(408, "REQUEST_TIMEOUT");
            assert_eq!(answer.header("connection"), "close");
            is_over(30, began.elapsed());
        });
        // Nothing at all, and nothing after an answer.
        scope.spawn(|| {
            let (mut connection, began) = (served.connect(), Instant::now());
            assert!(connection.answer().is_none());
            is_over(20, began.elapsed());
        });
        scope.spawn(|| {
            let mut connection = served.connect();
            connection.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_eq!(connection.answer().unwrap().status, 200);
            let began = Instant::now();
            sleep(12 * SECOND);
            // Quiet for longer than a head may take, which is another matter.
            connection.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_eq!(connection.answer().unwrap().status, 200);
            assert!(connection.answer().is_none());
            is_over(32, began.elapsed());
        });
        // Everybody else.
        for _ in 0..30 {
            let began = Instant::now();
            assert_eq!(served.get("/healthz").status, 200);
            assert!(began.elapsed() < 5 * SECOND, "{:?}", began.elapsed());
            sleep(SECOND);
        }
    });
}
