//! Bodies that are not what they should be. Nothing of them reaches the log, and nothing comes of them.

use mailsonde_tests::site::{MARK, Site, client::head};
use serde_json::json;

const VERIFY: &str = "/api/v1/verify";

#[test]
fn what_is_no_request_is_refused_as_such() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    let post = |headers: &str, body: &[u8]| served.post(VERIFY, &key, headers, body);

    let deep = ["{\"email\":".repeat(10_000), "0".into(), "}".repeat(10_000)].concat();
    let list = "[".repeat(10_000);
    for body in [
        &b"{"[..],
        b"{\"email\":\"zyxw.x@example.com",
        b"not json",
        b"{\"email\":\"zyxw.\xff\xfe@example.com\"}",
        br#"{"email":"\ud800"}"#,
        br#"{"email":"a@b.c","x":1e400}"#,
        br#"{"email":NaN}"#,
        deep.as_bytes(),
        list.as_bytes(),
    ] {
        post("", body).is_invalid(&json!(["body"]), "json_invalid");
    }
    post("", b"").is_invalid(&json!(["body"]), "missing");
    post("", b"[]").is_invalid(&json!(["body"]), "dict_type");
    post("", b"{}").is_invalid(&json!(["body", "email"]), "missing");
    post("", br#"{"email":7}"#).is_invalid(&json!(["body", "email"]), "string_type");

    // Many keys that nobody reads, and the last of two that stand twice.
    let keys: Vec<String> = (0..60_000).map(|number| format!("\"k{number}\":0")).collect();
    let many = keys.join(",");
    let many = format!("{{{many},\"email\":\"first@example.invalid\",\"email\":\"last@example.invalid\"}}");
    let answer = post("", many.as_bytes());
    assert_eq!((answer.status, &answer.json()["email"]), (200, &json!("last@example.invalid")), "{answer:?}");

    let body = format!("{{\"email\":\"{MARK}x@example.invalid\"}}");
    for headers in [
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Encoding: gzip\r\n",
    ] {
        post(headers, body.as_bytes()).is(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    for headers in ["Content-Type: application/json; charset=utf-8\r\n", "Content-Encoding: identity\r\n"] {
        assert_eq!(post(headers, body.as_bytes()).status, 200, "{headers}");
    }
    assert!(!served.said().contains(MARK), "{}", served.said());
}

#[test]
fn a_body_that_is_too_large_is_refused_as_soon_as_that_is_known() {
    let site = Site::new(&[]);
    let key = site.key("acme");
    let served = site.serve();
    // Its length is told: nothing has to be sent.
    let told = served.ask(head(VERIFY, &key, "Expect: 100-continue\r\n", 1 << 30));
    told.is(413, "BODY_TOO_LARGE");
    assert_eq!(told.header("connection"), "close");
    // It is not: what comes is counted. The answer arrives although its sender was not done.
    let mut connection = served.connect();
    connection.write(
        format!(
            "POST {VERIFY} HTTP/1.1\r\nHost: x\r\nApi-Key: {key}\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        )
        .as_bytes(),
    );
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    for _ in 0..20 {
        connection.write(&chunk);
    }
    connection.answer().expect("an answer").is(413, "BODY_TOO_LARGE");
    // The largest that may come does.
    let largest = format!("{{\"email\":\"nobody@example.invalid\"}}{}", " ".repeat((1 << 20) - 34));
    assert_eq!(served.post(VERIFY, &key, "", &largest).status, 200, "{}", largest.len());
    served.post(VERIFY, &key, "", format!("{largest} ")).is(413, "BODY_TOO_LARGE");
}
