//! The wire of a session: commands out, replies in, each within its time, and never a word out of turn.

use std::{future::poll_fn, pin::Pin, task::Poll};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    time::{Instant, timeout_at},
};

use super::{Break, Patience, command::Command};
use crate::{
    dialer::Stream,
    reply::{Malformed, Replies, Reply},
};

/// Octets read at once; most replies fit.
const CHUNK: usize = 2_048;

pub(super) struct Wire {
    stream: Stream,
    replies: Replies,
    patience: Patience,
}

impl Wire {
    pub(super) fn new(stream: Stream, patience: Patience) -> Self {
        Self { stream, replies: Replies::default(), patience }
    }

    pub(super) fn allow_utf8(&mut self, allowed: bool) {
        self.replies.allow_utf8(allowed);
    }

    /// Writes a command, unless the host has already said something that nobody asked for: from then on every reply
    /// would be taken for the answer to another command.
    pub(super) async fn send(&mut self, command: &Command<'_>) -> Result<(), Break> {
        let line = command.encode()?;
        self.expect_quiet().await?;
        let write = async {
            self.stream.write_all(line.as_bytes()).await?;
            self.stream.flush().await
        };
        match timeout_at(self.patience.reply_until(), write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Break::Disconnected),
            Err(_) => Err(Break::Timeout),
        }
    }

    /// The next reply. Its time runs from now to its last octet, so that a slow drip is no way to hold us.
    pub(super) async fn reply(&mut self) -> Result<Reply, Break> {
        let until = self.patience.reply_until();
        let mut chunk = [0; CHUNK];
        loop {
            if let Some(reply) = self.replies.take()? {
                // One command, one reply: with a second one behind it, neither can be trusted.
                let is_alone = self.replies.is_quiet_or_closing();
                return if is_alone { Ok(reply) } else { Err(Malformed::Unasked.into()) };
            }
            match timeout_at(until, self.stream.read(&mut chunk)).await {
                Ok(Ok(0) | Err(_)) => return Err(Break::Disconnected),
                Ok(Ok(octets)) => self.replies.push(&chunk[..octets])?,
                Err(_) => return Err(Break::Timeout),
            }
        }
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

impl Patience {
    fn reply_until(&self) -> Instant {
        // A patience past all counting ends with the session.
        Instant::now().checked_add(self.reply).map_or(self.until, |until| until.min(self.until))
    }
}
