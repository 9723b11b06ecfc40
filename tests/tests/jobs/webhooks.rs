//! Webhooks from processes to a receiver that others wrote, over TLS: whether it takes our signatures, and what it hears
//! when a process is killed.

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use mailsonde_tests::{
    real::{daemon::Folder, unpacked},
    site::{LIMIT, Site},
};
use serde_json::Value;

/// Who is told.
const CLIENT: &str = "acme";

/// The receiver, which waits with each answer until it is told what to say.
struct Receiver {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: String,
    secrets: PathBuf,
}

impl Receiver {
    /// One as it should be.
    fn start(folder: &Path) -> Self {
        Self::with(folder, &certificate(folder, "127.0.0.1"), "")
    }

    /// `version`: of TLS; empty: those of today.
    fn with(folder: &Path, certificate: &Path, version: &str) -> Self {
        let (script, secrets) = (folder.join("receiver.py"), folder.join("secrets"));
        fs::write(&script, include_str!("receiver.py")).unwrap();
        fs::write(&secrets, "").unwrap();
        let python = unpacked::root("standardwebhooks").unwrap().join("bin/python");
        // It ends with the thread that started it.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(python)
            // That a version is old is known.
            .args(["-W", "ignore"])
            .args([&*script, certificate, &*secrets])
            .arg(version)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap();
        Self { child, lines, port, secrets }
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}/hooks/mailsonde", self.port)
    }

    /// Those that it verifies with.
    fn knows(&self, secrets: &[&str]) {
        fs::write(&self.secrets, secrets.join("\n")).unwrap();
    }

    /// Waits for a request.
    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// Ends it. Returns how many requests came that nobody waited for.
    fn rest(mut self) -> usize {
        self.child.kill().unwrap();
        self.lines.by_ref().count()
    }

    /// Answers the one that waits.
    fn say(&mut self, status: u16) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{status}").unwrap();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // One that has ended needs none of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A key and a certificate for this address, both in one file.
fn certificate(folder: &Path, address: &str) -> PathBuf {
    let path = folder.join("certificate.pem");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-nodes",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=receiver", "-addext", &format!("subjectAltName=IP:{address}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout".as_ref(), path.as_os_str(), "-out".as_ref(), path.as_os_str()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    path
}

/// The same certificate, but that it is valid no longer.
fn expire(certificate: &Path) {
    let made = Command::new("openssl")
        .args(["x509", "-days", "0", "-in"])
        .args([certificate, "-signkey".as_ref(), certificate])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let kept = fs::read_to_string(certificate).unwrap();
    let (key, _) = kept.split_once("-----BEGIN CERTIFICATE").unwrap();
    fs::write(certificate, format!("{key}{}", String::from_utf8(made.stdout).unwrap())).unwrap();
}

/// An installation that trusts the receiver.
fn site(folder: &Path) -> Site {
    let certificate = folder.join("certificate.pem");
    let site = Site::new(&[
        ("MAILSONDE_WEBHOOKS__DESTINATIONS", "any"),
        ("MAILSONDE_WEBHOOKS__CA_FILE", certificate.to_str().unwrap()),
    ]);
    said(&site, &["client", "create", CLIENT]);
    site
}

/// The one line that a command prints.
fn said(site: &Site, args: &[&str]) -> String {
    let run = site.run(args);
    assert!(run.status.success(), "{args:?}: {}", run.stderr);
    run.stdout.trim_end().to_owned()
}

fn send(site: &Site, url: &str) -> String {
    said(site, &["webhook", "test", CLIENT, url])
}

fn header<'a>(request: &'a Value, name: &str) -> &'a str {
    request["headers"][name].as_str().unwrap_or_default()
}

const STATE: &str = "select string_agg(state || ' ' || attempts, ', ' order by created_at) from webhook";

#[test]
fn the_specifications_library_takes_our_signatures_also_while_secrets_change() {
    let folder = Folder::create("webhooks").unwrap();
    let mut receiver = Receiver::start(folder.path());
    let site = site(folder.path());
    let first = said(&site, &["webhook", "secret", "create", CLIENT]);
    assert!(first.starts_with("whsec_"), "{first}");
    let other = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let worker = site.worker();

    receiver.knows(&[&first, other]);
    let id = send(&site, &receiver.url());
    let request = receiver.next();
    assert_eq!(request["verified"], serde_json::json!([true, false]), "{request}");
    assert_eq!(header(&request, "webhook-id"), id);
    let body: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["type"], "webhook.test");
    receiver.say(200);
    site.wait(STATE, "delivered 1");

    let second = said(&site, &["webhook", "secret", "rotate", CLIENT]);
    receiver.knows(&[&first, &second, other]);
    send(&site, &receiver.url());
    assert_eq!(receiver.next()["verified"], serde_json::json!([true, true, false]));
    receiver.say(500);
    site.wait(STATE, "delivered 1, pending 1");
    // Not by itself, some seconds from now.
    site.wait(
        "with held as (update task set due_at = 'infinity' where kind = 'webhook' and state = 'ready' returning id)
         select count(*) from held",
        "1",
    );

    let third = said(&site, &["webhook", "secret", "rotate", CLIENT, "--overlap", "0s"]);
    receiver.knows(&[&first, &second, &third]);
    site.query("update task set due_at = now() where kind = 'webhook'");
    assert_eq!(receiver.next()["verified"], serde_json::json!([false, false, true]));
    receiver.say(204);
    site.wait(STATE, "delivered 1, delivered 2");

    let listed = said(&site, &["webhook", "secret", "list", CLIENT]);
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert!(worker.terminate(LIMIT).success(), "{}", site.said());
    let kept = site.postgres.dump().unwrap();
    for secret in ["whsec_", "hooks/mailsonde", "webhook.test"] {
        assert!(!kept.contains(secret) && !site.said().contains(secret), "{secret}");
    }
    fs::remove_dir_all(folder.path()).unwrap();
}

#[test]
fn whoever_is_killed_after_the_answer_and_before_it_is_written_says_it_again_under_one_id() {
    let folder = Folder::create("webhooks").unwrap();
    let mut receiver = Receiver::start(folder.path());
    let site = site(folder.path());
    let worker = site.worker();
    let id = send(&site, &receiver.url());
    let first = receiver.next();
    // The answer comes, and what came of it cannot be written.
    site.postgres.freeze().unwrap();
    receiver.say(200);
    worker.kill();
    site.postgres.thaw().unwrap();
    site.wait(STATE, "pending 0");
    let _worker = site.worker();
    let again = receiver.next();
    assert_eq!((header(&first, "webhook-id"), header(&again, "webhook-id")), (&*id, &*id));
    assert_eq!(first["body"], again["body"]);
    receiver.say(200);
    site.wait(STATE, "delivered 1");
    fs::remove_dir_all(folder.path()).unwrap();
}

/// What is wrong with a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// Nobody vouches for its certificate.
    Unknown,
    /// Its certificate is another address's.
    Address,
    /// Its certificate was valid until a moment ago.
    Expired,
    /// It speaks TLS 1.0 and nothing else.
    Version,
}

impl Wrong {
    const ALL: [Self; 5] = [Self::Nothing, Self::Unknown, Self::Address, Self::Expired, Self::Version];

    /// A receiver, and its certificate, if somebody vouches for it.
    fn receiver(self, folder: &Path) -> (Receiver, String) {
        let address = if self == Self::Address { "127.0.0.2" } else { "127.0.0.1" };
        let certificate = certificate(folder, address);
        if self == Self::Expired {
            expire(&certificate);
        }
        let receiver = Receiver::with(folder, &certificate, if self == Self::Version { "TLSv1" } else { "" });
        let vouched = fs::read_to_string(certificate).unwrap();
        (receiver, if self == Self::Unknown { String::new() } else { vouched })
    }
}

#[test]
fn only_who_is_vouched_for_hears_a_message() {
    let folder = Folder::create("webhooks").unwrap();
    let (mut receivers, vouched): (Vec<Receiver>, Vec<String>) =
        Wrong::ALL.iter().map(|wrong| wrong.receiver(folder.path())).unzip();
    assert_speaks_tls_1_0(&receivers[4]);
    let authorities = folder.path().join("authorities.pem");
    fs::write(&authorities, vouched.concat()).unwrap();
    let site = Site::new(&[
        ("MAILSONDE_WEBHOOKS__DESTINATIONS", "any"),
        ("MAILSONDE_WEBHOOKS__CA_FILE", authorities.to_str().unwrap()),
        // Who only waits for an answer does so for longer than this test.
        ("MAILSONDE_WEBHOOKS__TIMEOUT", "2m"),
    ]);
    for (wrong, receiver) in Wrong::ALL.iter().zip(&receivers) {
        // A client each, so that none waits for another's host.
        let client = format!("{wrong:?}");
        said(&site, &["client", "create", &client]);
        said(&site, &["webhook", "test", &client, &receiver.url()]);
    }
    let _worker = site.worker();
    receivers[0].next();
    receivers[0].say(200);
    let states = "select string_agg(state || ' ' || (attempts > 0), ', ' order by created_at) from webhook";
    site.wait(states, "delivered true, pending true, pending true, pending true, pending true");
    let heard: Vec<usize> = receivers.into_iter().map(Receiver::rest).collect();
    assert_eq!(heard, [0; 5], "requests to {:?}", Wrong::ALL);
    fs::remove_dir_all(folder.path()).unwrap();
}

/// So its version is all that is wrong with it.
fn assert_speaks_tls_1_0(receiver: &Receiver) {
    let spoke = Command::new("openssl")
        .args(["s_client", "-tls1", "-cipher", "ALL:@SECLEVEL=0", "-connect"])
        .arg(format!("127.0.0.1:{}", receiver.port))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&spoke.stdout);
    assert!(said.contains("Protocol  : TLSv1\n"), "{said}");
}

#[test]
fn what_leads_inside_is_refused_when_it_is_given() {
    let site = Site::new(&[]);
    said(&site, &["client", "create", CLIENT]);
    for url in ["https://127.0.0.1/", "https://0x7f.1/", "http://example.com/", "https://example.com:25/"] {
        let run = site.run(&["webhook", "test", CLIENT, url]);
        assert_eq!((run.status.code(), &*run.stdout), (Some(2), ""), "{url}");
    }
    assert_eq!(site.query("select count(*) from webhook"), "0");
}
