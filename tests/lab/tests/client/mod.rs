//! A client that knows lines and nothing else, so that what it sees is what the server did.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use mailsonde_lab::{Cable, Internet};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};

/// A connection as lines.
pub struct Client<S = Cable>(BufReader<S>);

/// An internet of one server, `mx.a.test`, that knows Jane; `options` are the rest of its table.
pub fn server(options: &str) -> Internet {
    let hosts = format!("[host.\"mx.a.test\"]\naccepts = [\"jane@a.test\", \"member*@a.test\"]\n{options}");
    Internet::parse("a.test MX 10 mx.a.test", &hosts).expect("an internet")
}

impl Client {
    /// Connects to `mx.a.test` and leaves the rest to the test.
    pub async fn connect(internet: &Internet) -> Self {
        let address = internet.address("mx.a.test").expect("an address");
        Self::over(internet.dial(address).await.expect("a connection"))
    }

    /// Connects, and gets as far as MAIL.
    pub async fn in_transaction(internet: &Internet) -> Self {
        let mut client = Self::connect(internet).await;
        client.reply().await;
        client.say("EHLO probe.lab.test").await;
        client.say("MAIL FROM:<probe@lab.test>").await;
        client
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn over(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    /// Writes octets as they stand.
    pub async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("an open connection");
    }

    /// Reads a whole reply, its lines joined by `\n`; empty at the end of the connection.
    pub async fn reply(&mut self) -> String {
        let mut reply = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap_or_default();
            let line = line.trim_end();
            reply.push(line.to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply.join("\n");
            }
        }
    }

    /// Says a line and reads the reply.
    pub async fn say(&mut self, line: &str) -> String {
        self.write(&format!("{line}\r\n")).await;
        self.reply().await
    }

    pub async fn rcpt(&mut self, recipient: &str) -> String {
        self.say(&format!("RCPT TO:<{recipient}>")).await
    }

    /// Reads up to the end, or as far as it gets.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
        rest
    }

    /// The next octet; an error is a reset, `None` the end.
    pub async fn octet(&mut self) -> std::io::Result<Option<u8>> {
        let mut octet = [0];
        Ok((self.0.read(&mut octet).await? == 1).then_some(octet[0]))
    }
}
