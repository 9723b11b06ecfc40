//! Configurations, names and receivers for tests.

use std::{net::IpAddr, path::PathBuf, sync::Mutex, time::Duration};

use mailsonde_engine::{BoxFuture, Lookup, RecordData, RecordKind, Resolver};
use mailsonde_net::Destinations;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use super::WebhooksConfig;

/// As it is for everybody.
pub(super) fn public() -> WebhooksConfig {
    WebhooksConfig {
        destinations: Destinations::Public,
        http: false,
        ca_file: PathBuf::new(),
        timeout: Duration::from_secs(20),
        per_host_max: 4,
        at_once_max: 16,
    }
}

/// For receivers on loopback.
pub(super) fn laboratory() -> WebhooksConfig {
    WebhooksConfig { destinations: Destinations::Any, http: true, ..public() }
}

/// Every name has these addresses; with several sets, the next one at each question, and then the last.
pub(super) struct Names(Mutex<Vec<Vec<IpAddr>>>);

impl Names {
    pub(super) fn new(addresses: &[&str]) -> Self {
        Self::one_after_the_other(&[addresses])
    }

    pub(super) fn one_after_the_other(sets: &[&[&str]]) -> Self {
        let set = |set: &&[&str]| set.iter().map(|address| address.parse().unwrap()).collect();
        Self(Mutex::new(sets.iter().rev().map(set).collect()))
    }
}

impl Resolver for Names {
    fn lookup<'a>(&'a self, _: &'a str, kind: RecordKind) -> BoxFuture<'a, Lookup> {
        let mut sets = self.0.lock().unwrap();
        let of_kind: Vec<RecordData> = sets[sets.len() - 1]
            .iter()
            .filter(|address| address.is_ipv4() == (kind == RecordKind::A))
            .map(|address| RecordData::Address(*address))
            .collect();
        // Both kinds are asked for, the second one last.
        if kind == RecordKind::Aaaa && sets.len() > 1 {
            sets.pop();
        }
        let lookup = if of_kind.is_empty() { Lookup::NoData } else { Lookup::Found(of_kind.into()) };
        Box::pin(std::future::ready(lookup))
    }
}

/// A request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) path: String,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

/// An HTTP server on loopback that says to each request what a function says, octet by octet.
pub(super) struct Receiver {
    pub(super) url: String,
    received: UnboundedReceiver<Received>,
}

impl Receiver {
    /// Answers with what `answer` makes of the number of the request, from 0; then closes the connection.
    pub(super) async fn start(answer: impl Fn(usize) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, received) = unbounded_channel();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, answer(number), sender.clone()));
            }
        });
        Self { url, received }
    }

    /// Answers all alike: a status line.
    pub(super) async fn saying(status: &'static str) -> Self {
        Self::start(move |_| head(status)).await
    }

    pub(super) async fn next(&mut self) -> Received {
        self.received.recv().await.unwrap()
    }

    /// Nothing came that was not taken by [`Self::next`].
    pub(super) fn is_empty(&self) -> bool {
        self.received.is_empty()
    }
}

/// An answer without a body.
pub(super) fn head(status: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

/// What is to be sent forever: the end of an answer.
pub(super) const ENDLESS: &[u8] = b"<endless>";

/// The connection stays open after what was sent.
pub(super) const SILENT: &[u8] = b"<silent>";

async fn serve(stream: TcpStream, answer: Vec<u8>, sender: UnboundedSender<Received>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut received = Received { path, headers, body: String::new() };
    let mut body = vec![0; received.header("content-length").parse().unwrap_or_default()];
    stream.read_exact(&mut body).await.unwrap();
    received.body = String::from_utf8(body).unwrap();
    let _ = sender.send(received);
    // Whoever reads no more is no fault.
    let _ = say(&mut stream, &answer).await;
}

async fn say(stream: &mut BufReader<TcpStream>, answer: &[u8]) -> std::io::Result<()> {
    if let Some(answer) = answer.strip_suffix(ENDLESS) {
        stream.write_all(answer).await?;
        loop {
            stream.write_all(&[b'x'; 4_096]).await?;
        }
    }
    let (answer, is_silent) = answer.strip_suffix(SILENT).map_or((answer, false), |answer| (answer, true));
    stream.write_all(answer).await?;
    stream.flush().await?;
    if is_silent {
        // Until the other side closes.
        stream.read_to_end(&mut Vec::new()).await?;
    }
    Ok(())
}
