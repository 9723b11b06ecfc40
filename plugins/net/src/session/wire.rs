//! The wire of a session: commands out, replies in, each within its time, and never a word out of turn.

use std::{future::poll_fn, mem, pin::Pin, task::Poll, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    time::{Instant, timeout, timeout_at},
};

use super::Break;
use crate::{
    dialer::Stream,
    reply::{Malformed, Replies, Reply},
    tls::Tls,
};

/// Octets read at once: some ten replies. Every open session holds as much.
const CHUNK: usize = 1_024;

/// A patience past all counting is as good as this one.
const FOREVER: Duration = Duration::from_hours(24);

pub(super) struct Wire {
    stream: Stream,
    replies: Replies,
    /// Time for one whole reply.
    reply_timeout: Duration,
    /// When the reply that is being waited for must be whole.
    due: Option<Instant>,
}

impl Wire {
    pub(super) fn new(stream: Stream, reply_timeout: Duration) -> Self {
        Self { stream, replies: Replies::default(), reply_timeout: reply_timeout.min(FOREVER), due: None }
    }

    /// From here on, replies may hold UTF-8.
    pub(super) fn allow_utf8(&mut self) {
        self.replies.allow_utf8(true);
    }

    /// Writes commands, unless the host has already said something that nobody asked for: from then on every reply
    /// would be taken for the answer to another command.
    pub(super) async fn send(&mut self, lines: &str) -> Result<(), Break> {
        self.expect_quiet().await?;
        let write = async {
            self.stream.write_all(lines.as_bytes()).await?;
            self.stream.flush().await
        };
        match timeout(self.reply_timeout, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Break::Disconnected),
            Err(_) => Err(Break::Timeout),
        }
    }

    /// The next reply; `is_last` when no other is due behind it. Its time runs from the first call to its last octet,
    /// so that a slow drip is no way to hold us. Giving up on the future loses nothing.
    pub(super) async fn reply(&mut self, is_last: bool) -> Result<Reply, Break> {
        let due = *self.due.get_or_insert_with(|| Instant::now() + self.reply_timeout);
        let mut chunk = [0; CHUNK];
        loop {
            if let Some(reply) = self.replies.take()? {
                self.due = None;
                // One command, one reply: with one too many, none can be trusted.
                let is_fine = !is_last || self.replies.is_quiet_or_closing();
                return if is_fine { Ok(reply) } else { Err(Malformed::Unasked.into()) };
            }
            match timeout_at(due, self.stream.read(&mut chunk)).await {
                Ok(Ok(0) | Err(_)) => return Err(Break::Disconnected),
                Ok(Ok(octets)) => self.replies.push(&chunk[..octets])?,
                Err(_) => return Err(Break::Timeout),
            }
        }
    }

    /// Ends when the host speaks unasked or hangs up, as it may at any time.
    pub(super) async fn disturbed(&mut self) {
        // One octet is as good as all of them: the session is over.
        let _ = self.stream.read(&mut [0; 1]).await;
    }

    /// Speaks TLS from here on. What the host said before the handshake is dropped with what carried it (RFC 3207 §6).
    pub(super) async fn secure(&mut self, tls: &Tls, host: &str) -> Result<(), Break> {
        let plain = mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        match timeout(self.reply_timeout, tls.upgrade(plain, host)).await {
            Ok(Ok(secured)) => self.stream = secured,
            Ok(Err(_)) => return Err(Break::Tls),
            Err(_) => return Err(Break::Timeout),
        }
        self.replies = Replies::default();
        Ok(())
    }

    async fn expect_quiet(&mut self) -> Result<(), Break> {
        let mut chunk = [0; CHUNK];
        let mut buffer = ReadBuf::new(&mut chunk);
        let stream = Pin::new(&mut self.stream);
        match poll_once(stream, &mut buffer).await {
            Poll::Pending => {}
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => self.replies.push(buffer.filled())?,
            Poll::Ready(_) => return Err(Break::Disconnected),
        }
        if self.replies.is_quiet() {
            return Ok(());
        }
        Err(if self.replies.is_quiet_or_closing() { Break::Disconnected } else { Malformed::Unasked.into() })
    }
}

/// Reads what is there now, without waiting.
async fn poll_once(mut stream: Pin<&mut Stream>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
    poll_fn(|cx| Poll::Ready(stream.as_mut().poll_read(cx, buffer))).await
}
