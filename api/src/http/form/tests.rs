//! Forms as clients send them, and as they should not.

use axum::{extract::FromRequest as _, http::Request};
use futures_util::{StreamExt as _, stream};

use super::*;

const TYPE: &str = "multipart/form-data; boundary=xyz";

/// A file of at most so many octets.
const FILE_MAX: usize = 3_000_000;

/// A body that comes in pieces of this size; `breaks` at its end.
async fn received(media_type: &str, body: &[u8], piece: usize, breaks: bool) -> Received {
    let pieces = body.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece)));
    let end = breaks.then(|| Err(std::io::Error::other("gone")));
    let body = Body::from_stream(stream::iter(pieces.chain(end).collect::<Vec<_>>()));
    let request = Request::post("/").header(CONTENT_TYPE, media_type).body(body).unwrap();
    Received::from_request(request, &()).await.unwrap()
}

async fn read_in(body: &[u8], piece: usize) -> (Result<Form, FormError>, Vec<u8>) {
    let mut file = Vec::new();
    let received = received(TYPE, body, piece, false).await;
    let form = received.form("file", FILE_MAX, |octets| file.extend_from_slice(octets)).await;
    (form, file)
}

async fn read(body: &[u8]) -> (Result<Form, FormError>, Vec<u8>) {
    read_in(body, 7).await
}

fn part(disposition: &str, text: &str) -> String {
    format!("--xyz\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{text}\r\n")
}

fn form(parts: &[String]) -> Vec<u8> {
    format!("{}--xyz--\r\n", parts.concat()).into()
}

fn file(text: &str) -> String {
    part(r#"name="file"; filename="a.csv""#, text)
}

fn kinds(form: &Form) -> Vec<(String, &'static str)> {
    let loc = |invalid: &Invalid| invalid.loc.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
    form.wrong.iter().map(|invalid| (loc(invalid), invalid.kind)).collect()
}

#[tokio::test]
async fn a_form_is_its_texts_and_its_file_however_it_is_cut() {
    let text = "a,b\r\n--xy\r\n-\r-\r\n--xyq\r\n";
    let body = form(&[
        part(r#"name="retention_days""#, "7"),
        file(text),
        part(r#"name="empty""#, ""),
        part(r#"name="retention_days""#, "8"),
        part("nothing", "passed over"),
    ]);
    let body = [b"preamble\r\n", &body[..], b"epilogue"].concat();
    for piece in 1..body.len() {
        let (form, octets) = read_in(&body, piece).await;
        let form = form.unwrap();
        assert_eq!(String::from_utf8(octets).unwrap(), text, "in pieces of {piece}");
        let texts = [("retention_days", "7"), ("empty", ""), ("retention_days", "8")];
        assert_eq!(form.texts, texts.map(|(name, text)| (name.to_owned(), text.to_owned())));
        assert_eq!((form.file.unwrap().name.as_deref(), &*form.wrong), (Some("a.csv"), &[][..]));
    }
}

#[tokio::test]
async fn what_is_wrong_with_parts_is_told_with_their_names() {
    let (none, _) = read(&form(&[part(r#"name="x""#, "1")])).await;
    assert_eq!(kinds(&none.unwrap()), [("body.file".into(), "missing")]);
    let (text, octets) = read(&form(&[part(r#"name="file""#, "a,b")])).await;
    assert_eq!((kinds(&text.unwrap()), octets), (vec![("body.file".into(), "file_type")], vec![]));
    let (two, octets) = read(&form(&[file("one"), file("two")])).await;
    assert_eq!((kinds(&two.unwrap()), &*octets), (vec![("body.file".into(), "too_long")], &b"one"[..]));
    let mut body = form(&[file("a"), part(r#"name="webhook_url""#, "https://?")]);
    let at = body.iter().position(|octet| *octet == b'?').unwrap();
    body[at] = 0xff;
    assert_eq!(kinds(&read(&body).await.0.unwrap()), [("body.webhook_url".into(), "string_unicode")]);
    let many: Vec<String> = (0..1000).map(|_| part(r#"name="file""#, "")).collect();
    assert_eq!(read(&form(&many)).await.0.unwrap().wrong.len(), WRONG_MAX);
}

#[tokio::test]
async fn what_breaks_off_or_is_no_form_is_refused() {
    let whole = form(&[file("a,b"), part(r#"name="x""#, "1")]);
    let kind = |result: Result<Form, FormError>| match result {
        Err(FormError::Refused(Refusal::Unprocessable(wrong))) => wrong[0].kind,
        other => panic!("{other:?}"),
    };
    // Behind the last line there is nothing to miss.
    for len in 0..whole.len() - 2 {
        assert_eq!(kind(read(&whole[..len]).await.0), "body_incomplete", "cut at {len}");
    }
    let broken = received(TYPE, &whole[..60], 7, true).await;
    assert_eq!(kind(broken.form("file", FILE_MAX, |_| ()).await), "body_incomplete");
    // Also where all parts are there, since somebody may compare the whole.
    let broken = received(TYPE, &whole, 7, true).await;
    assert_eq!(kind(broken.form("file", FILE_MAX, |_| ()).await), "body_incomplete");
    assert_eq!(kind(read(b"--xyz\r\nno header\r\n\r\n\r\n--xyz--\r\n").await.0), "multipart_invalid");
    let long = format!("multipart/form-data; boundary={}", "x".repeat(BOUNDARY_MAX + 1));
    for media_type in ["multipart/form-data", "multipart/form-data; boundary=", &long] {
        let received = received(media_type, &whole, 7, false).await;
        assert_eq!(kind(received.form("file", FILE_MAX, |_| ()).await), "multipart_invalid", "{media_type}");
    }
}

#[tokio::test]
async fn a_file_and_what_is_beside_it_have_their_limits() {
    let largest = "x".repeat(FILE_MAX);
    let (read, octets) = read_in(&form(&[file(&largest)]), 65_536).await;
    assert!(read.is_ok() && octets.len() == FILE_MAX);
    let (read, octets) = read_in(&form(&[file(&(largest + "x"))]), 65_536).await;
    assert_eq!(read, Err(FormError::FileTooLarge));
    assert!(octets.len() <= FILE_MAX);
    let too_much = Err(FormError::Refused(Refusal::TooLarge(BESIDE_MAX)));
    let beside = "x".repeat(BESIDE_MAX);
    let behind = [form(&[file("a")]), beside.clone().into()].concat();
    for body in [form(&[part(r#"name="x""#, &beside), file("a")]), form(&[file("a"), file(&beside)]), behind]
    {
        assert_eq!(read_in(&body, 65_536).await.0, too_much);
    }
}

#[tokio::test]
async fn what_stands_before_a_part_is_short() {
    let long = "x".repeat(BESIDE_MAX);
    let before = long.clone().into_bytes();
    for body in [before.clone(), form(&[file("a"), part(&format!(r#"name="{long}""#), "1")])] {
        for piece in [1, 65_536] {
            let (read, _) = read_in(&body, piece).await;
            assert_eq!(read, Err(no_form().into()), "in pieces of {piece}");
        }
    }
    // What is searched again and again is counted by how often something is handed on.
    for (is_slow, times) in [(false, 2), (true, APART_MAX + 1)] {
        let octets = stream::iter(before.chunks(1).map(Bytes::copy_from_slice).collect::<Vec<_>>());
        let octets = octets.map(Ok::<_, std::io::Error>).then(move |octet| async move {
            if is_slow {
                tokio::task::yield_now().await;
            }
            octet
        });
        let (mut body, come) = (Body::from_stream(octets), Come::default());
        let pieces: Vec<_> = Pieces::of(&mut body, &come).take(times + 1).collect().await;
        let (last, pieces) = pieces.split_at(times);
        assert!(last.iter().all(Result::is_ok), "{is_slow}");
        assert!(matches!(pieces[0], Err(NotRead::NoPart)), "{is_slow}");
    }
}

#[tokio::test]
async fn many_small_parts_are_told_apart_before_more_is_read() {
    let parts: Vec<String> = (0..200).map(|_| part(r#"name="x""#, "1")).collect();
    let body = form(&[&parts[..], &[file(&"x".repeat(FILE_MAX))]].concat());
    let (read, octets) = read_in(&body, 65_536).await;
    assert_eq!((read.unwrap().texts.len(), octets.len()), (200, FILE_MAX));
}

#[tokio::test(start_paused = true)]
async fn a_form_that_does_not_end_is_not_waited_for() {
    for (octets, time) in [(10, BODY_TIME_MAX), (BODY_MAX, FORM_TIME_MAX)] {
        let begun = file(&"x".repeat(octets)).into_bytes();
        let pieces: Vec<_> =
            begun.chunks(65_536).map(Bytes::copy_from_slice).map(Ok::<_, std::io::Error>).collect();
        let body = Body::from_stream(stream::iter(pieces).chain(stream::pending()));
        let request = Request::post("/").header(CONTENT_TYPE, TYPE).body(body).unwrap();
        let received = Received::from_request(request, &()).await.unwrap();
        let began = tokio::time::Instant::now();
        let slow = Err(FormError::Refused(Refusal::TooSlow));
        assert_eq!(received.form("file", FILE_MAX, |_| ()).await, slow);
        assert_eq!(began.elapsed(), time, "{octets}");
    }
}

#[tokio::test]
async fn only_forms_are_read_and_their_length_may_be_known_before() {
    let of = async |headers: &[(&str, &str)]| {
        let mut request = Request::post("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        Received::from_request(request, &()).await.unwrap().file_length(FILE_MAX).await
    };
    for headers in [
        &[("content-type", "text/csv")][..],
        &[("content-type", "multipart/mixed; boundary=x")],
        &[],
        &[("content-type", TYPE), ("content-encoding", "gzip")],
    ] {
        assert_eq!(of(headers).await, Err(FormError::Refused(Refusal::MediaType)), "{headers:?}");
    }
    assert_eq!(of(&[("content-type", TYPE)]).await, Ok(FILE_MAX));
    let long = |length: usize| length.to_string();
    let of = async |length: usize| of(&[("content-type", TYPE), ("content-length", &long(length))]).await;
    assert_eq!(of(1000).await, Ok(1000));
    assert_eq!(of(FILE_MAX + BESIDE_MAX).await, Ok(FILE_MAX));
    assert_eq!(of(FILE_MAX + BESIDE_MAX + 1).await, Err(FormError::FileTooLarge));
}

#[test]
fn a_name_is_never_a_path_and_shows_what_it_is() {
    let long = "é".repeat(4096);
    for (given, name) in [
        ("people.csv", Some("people.csv")),
        ("../../etc/x", Some("x")),
        (r"C:\fakepath\people.csv", Some("people.csv")),
        ("a\r\nSet-Cookie: b\"c\0.csv", Some("aSet-Cookie: b\"c.csv")),
        ("gpj.\u{202e}csv.exe\u{200b}", Some("gpj.csv.exe")),
        ("\u{61c}a\u{ad}b\u{fff9}c\u{fffb}.\u{e0001}c\u{e007f}sv", Some("abc.csv")),
        (" 名簿.csv ", Some("名簿.csv")),
        ("..", None),
        ("folder/", None),
        ("", None),
    ] {
        assert_eq!(file_name(given).as_deref(), name, "{given:?}");
    }
    assert_eq!(file_name(&long).unwrap().chars().count(), NAME_MAX);
}

#[tokio::test]
async fn a_name_that_is_written_otherwise_makes_a_file_too() {
    let (form, octets) = read(&form(&[part("name=\"file\"; filename*=UTF-8''a%20b.csv", "a")])).await;
    assert_eq!((form.unwrap().file, &*octets), (Some(File { name: None }), &b"a"[..]));
    let quoted = part("name=\"file\"; filename=\"a\\\"b;c.csv\"", "a");
    let (form, _) = read(&[quoted.as_bytes(), b"--xyz--"].concat()).await;
    assert_eq!(form.unwrap().file.unwrap().name.as_deref(), Some("a\"b;c.csv"));
}

#[tokio::test]
async fn no_octets_do_more_than_be_refused() {
    let words: [&[u8]; 9] = [
        b"\r\n",
        b"--xyz",
        b"--",
        b"\r",
        b"a,b",
        b"\xff\0",
        b"Content-Disposition: ",
        b"name=\"file\"",
        b"\n--xyz--",
    ];
    // Any generator will do: the same octets each time.
    let mut chance: u64 = 7;
    for _ in 0..2_000 {
        let mut octets = Vec::new();
        while !chance.is_multiple_of(16) || octets.is_empty() {
            chance =
                chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 1;
            octets.extend_from_slice(words[(chance >> 33) as usize % words.len()]);
        }
        chance += 1;
        let before = part(r#"name="file"; filename=a"#, "");
        let body = [before.trim_end_matches("\r\n").as_bytes(), b"\r\n\r\n", &octets].concat();
        let (_, file) = read_in(&body, 1 + octets.len() % 9).await;
        assert!(octets.starts_with(&file));
    }
}
