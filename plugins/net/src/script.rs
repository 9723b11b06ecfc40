//! A scripted mail host in memory, and a dialer and a resolver that lead to such hosts. For tests alone; it runs
//! under a paused clock, since nothing in it is a real socket.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use mailsonde_engine::{BoxFuture, Lookup, RecordData, RecordKind, Resolver};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};

use crate::dialer::{Dialer, Stream};

/// What a host does.
#[derive(Debug, Clone)]
pub(crate) enum Say {
    /// Writes these octets.
    Raw(Vec<u8>),
    /// Waits, and then does something.
    After(Duration, Box<Say>),
    /// Does one thing, and another while the client goes on.
    Both(Box<Say>, Box<Say>),
    /// One octet at a time, with this pause before each.
    Drip(Duration, String),
    /// Closes the connection.
    Close,
    /// Says nothing and keeps the connection.
    Nothing,
}

impl Say {
    pub(crate) fn line(text: &str) -> Self {
        Self::Raw(format!("{text}\r\n").into_bytes())
    }

    pub(crate) fn after(wait: Duration, text: &str) -> Self {
        Self::After(wait, Box::new(Self::line(text)))
    }

    /// A last reply.
    pub(crate) fn closing(text: &str) -> Self {
        Self::Both(Box::new(Self::line(text)), Box::new(Self::Close))
    }
}

type Answer = dyn Fn(&str) -> Say + Send + Sync;

/// A host that accepts everyone, but for what a test changes.
#[derive(Clone)]
pub(crate) struct Host {
    banner: Say,
    answers: Vec<(&'static str, Arc<Answer>)>,
    written: Written,
    /// Connections so far.
    connections: Arc<AtomicUsize>,
}

/// Everything that clients have written to a host.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<String>>>);

impl Written {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, verb: &str) -> usize {
        self.lines().iter().filter(|line| line.starts_with(verb)).count()
    }
}

impl Default for Host {
    fn default() -> Self {
        Self {
            banner: Say::line("220 mx.example.org ESMTP"),
            answers: Vec::new(),
            written: Written::default(),
            connections: Arc::default(),
        }
    }
}

impl Host {
    /// A host that knows these local parts alone.
    pub(crate) fn knowing(locals: &'static [&'static str]) -> Self {
        Self::default().on("RCPT", move |line| {
            let known = locals.iter().any(|local| line.starts_with(&format!("RCPT TO:<{local}@")));
            Say::line(if known { "250 2.1.5 Ok" } else { "550 5.1.1 User unknown" })
        })
    }

    /// The same host, that takes many commands at once.
    pub(crate) fn pipelining(self) -> Self {
        self.on("EHLO", |_| Say::line("250-mx.example.org\r\n250 PIPELINING"))
    }

    pub(crate) fn banner(self, banner: Say) -> Self {
        Self { banner, ..self }
    }

    /// Changes the answer to a verb. The line comes without its end.
    pub(crate) fn on(
        mut self,
        verb: &'static str,
        answer: impl Fn(&str) -> Say + Send + Sync + 'static,
    ) -> Self {
        self.answers.insert(0, (verb, Arc::new(answer)));
        self
    }

    pub(crate) fn written(&self) -> Written {
        self.written.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    /// A connection to it, and what will have been written to it.
    pub(crate) fn connect(&self) -> (Stream, Written) {
        let (ours, theirs) = duplex(64 * 1024);
        self.connections.fetch_add(1, Relaxed);
        tokio::spawn(self.clone().serve(theirs));
        (Box::new(ours), self.written())
    }

    async fn serve(self, stream: DuplexStream) {
        let (reader, writer) = tokio::io::split(stream);
        let writer = Arc::new(tokio::sync::Mutex::new(Some(writer)));
        let mut lines = BufReader::new(reader).lines();
        perform(self.banner.clone(), writer.clone()).await;
        while let Ok(Some(line)) = lines.next_line().await {
            self.written.0.lock().unwrap().push(line.clone());
            let answer = self.answers.iter().find(|(verb, _)| line.starts_with(verb));
            let say = answer.map_or_else(|| default_answer(&line), |(_, answer)| answer(&line));
            perform(say, writer.clone()).await;
            if writer.lock().await.is_none() {
                return;
            }
        }
    }
}

fn default_answer(line: &str) -> Say {
    match line.split(' ').next() {
        Some("EHLO") => Say::line("250-mx.example.org\r\n250-SIZE 10240000\r\n250 ENHANCEDSTATUSCODES"),
        Some("QUIT") => Say::closing("221 2.0.0 Bye"),
        Some("HELO" | "MAIL" | "RCPT" | "RSET") => Say::line("250 2.0.0 Ok"),
        _ => Say::line("502 5.5.2 Command not recognized"),
    }
}

type Writer = Arc<tokio::sync::Mutex<Option<tokio::io::WriteHalf<DuplexStream>>>>;

fn perform(say: Say, writer: Writer) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        match say {
            Say::Raw(octets) => write(&writer, &octets).await,
            Say::After(wait, then) => {
                tokio::time::sleep(wait).await;
                perform(*then, writer).await;
            }
            Say::Both(one, other) => {
                perform(*one, writer.clone()).await;
                if matches!(*other, Say::Close) {
                    perform(*other, writer).await;
                } else {
                    tokio::spawn(perform(*other, writer));
                }
            }
            Say::Drip(pause, text) => {
                for octet in text.into_bytes() {
                    tokio::time::sleep(pause).await;
                    write(&writer, &[octet]).await;
                }
            }
            Say::Close => {
                if let Some(mut writer) = writer.lock().await.take() {
                    let _ = writer.shutdown().await;
                }
            }
            Say::Nothing => {}
        }
    })
}

async fn write(writer: &Writer, octets: &[u8]) {
    if let Some(writer) = writer.lock().await.as_mut() {
        // The client may have gone.
        let _ = writer.write_all(octets).await;
    }
}

/// A net of hosts by address: what is not in it refuses connections.
#[derive(Default)]
pub(crate) struct Net {
    hosts: HashMap<IpAddr, Host>,
    silent: Vec<IpAddr>,
    names: HashMap<(Box<str>, RecordKind), Lookup>,
    /// Every address that was dialled, in order.
    pub(crate) dialled: Mutex<Vec<IpAddr>>,
}

impl Net {
    /// Puts a host at `address` under `name`.
    pub(crate) fn host(mut self, name: &str, address: &str, host: &Host) -> Self {
        self.hosts.insert(address.parse().unwrap(), host.clone());
        self.name(name, address)
    }

    /// A name whose address never answers.
    pub(crate) fn silent(mut self, name: &str, address: &str) -> Self {
        self.silent.push(address.parse().unwrap());
        self.name(name, address)
    }

    /// A name for an address; a second one for the same name is added.
    pub(crate) fn name(mut self, name: &str, address: &str) -> Self {
        let ip: IpAddr = address.parse().unwrap();
        let kind = if ip.is_ipv4() { RecordKind::A } else { RecordKind::Aaaa };
        let entry = self.names.entry((name.into(), kind)).or_insert(Lookup::NoData);
        let mut records = match entry {
            Lookup::Found(records) => records.to_vec(),
            _ => Vec::new(),
        };
        records.push(RecordData::Address(ip));
        *entry = Lookup::Found(records.into());
        self
    }

    /// What DNS says for both kinds of addresses of a name.
    pub(crate) fn lookup(mut self, name: &str, answer: &Lookup) -> Self {
        for kind in [RecordKind::A, RecordKind::Aaaa] {
            self.names.insert((name.into(), kind), answer.clone());
        }
        self
    }

    pub(crate) fn dialled(&self) -> Vec<String> {
        self.dialled.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

impl Resolver for Net {
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordKind) -> BoxFuture<'a, Lookup> {
        let known = self.names.get(&(name.into(), kind)).cloned();
        let exists = self.names.keys().any(|(other, _)| &**other == name);
        Box::pin(std::future::ready(known.unwrap_or(if exists { Lookup::NoData } else { Lookup::NoDomain })))
    }
}

impl Dialer for Net {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<Stream>> {
        self.dialled.lock().unwrap().push(to.ip());
        Box::pin(async move {
            if self.silent.contains(&to.ip()) {
                std::future::pending::<()>().await;
            }
            let host = self.hosts.get(&to.ip()).ok_or(io::ErrorKind::ConnectionRefused)?;
            Ok(host.connect().0)
        })
    }
}
