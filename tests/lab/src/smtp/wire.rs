//! Lines from a client, in bursts, and octets to it.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    select,
    time::{sleep, timeout},
};

use crate::{
    cable::{Cable, Plug},
    say::Ending,
};

/// Octets of a line without end after which a client is given up.
const UNENDED_MAX: usize = 1024 * 1024;

/// Octets of a burst that are read at once: a hundred recipients with names as long as they come.
const BURST_MAX: usize = 16 * 1024;

/// Octets of replies that are held back for the rest of a burst.
const UNSAID_MAX: usize = 16 * 1024;

/// Both directions, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client is gone.
    Left,
    /// The server wants no more.
    Ours(Ending),
}

/// A line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Octets beyond UTF-8 are replaced.
    pub(super) text: String,
    /// Octets on the wire.
    pub(super) octets: usize,
    /// It ended in LF alone.
    pub(super) bare_lf: bool,
}

/// A connection as lines.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    plug: Plug,
    heard: Vec<u8>,
    /// Written when the client's burst is answered, or there is a pause.
    unsaid: Vec<u8>,
}

impl Wire {
    pub(super) fn new(cable: Cable) -> Self {
        Self { plug: cable.plug(), stream: Box::new(cable), heard: Vec::new(), unsaid: Vec::new() }
    }

    /// Waits for lines, and returns all that are there.
    pub(super) async fn burst(&mut self) -> Result<Vec<Line>, End> {
        // A client that does not wait for replies may still have left words, its QUIT for one.
        let _ = self.flush().await;
        loop {
            let lines = self.lines();
            if !lines.is_empty() {
                return Ok(lines);
            }
            // Room for a whole burst: what comes in two reads counts as two.
            self.heard.reserve(BURST_MAX);
            let read = self.stream.read_buf(&mut self.heard).await.map_err(|_| End::Left)?;
            if read == 0 || self.heard.len() > UNENDED_MAX {
                return Err(End::Left);
            }
        }
    }

    /// Whether the client has said something already.
    pub(super) async fn has_word(&mut self) -> bool {
        let read = timeout(Duration::ZERO, self.stream.read_buf(&mut self.heard)).await;
        matches!(read, Ok(Ok(1..)))
    }

    fn lines(&mut self) -> Vec<Line> {
        let Some(last) = self.heard.iter().rposition(|octet| *octet == b'\n') else { return Vec::new() };
        let rest = self.heard.split_off(last + 1);
        let lines = std::mem::replace(&mut self.heard, rest);
        lines.split_inclusive(|octet| *octet == b'\n').map(Line::of).collect()
    }

    /// Says octets as they stand.
    pub(super) async fn say(&mut self, octets: &[u8]) -> Result<(), End> {
        self.unsaid.extend(octets);
        if self.unsaid.len() < UNSAID_MAX { Ok(()) } else { self.flush().await }
    }

    /// Writes what was said.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        let unsaid = std::mem::take(&mut self.unsaid);
        self.stream.write_all(&unsaid).await.map_err(|_| End::Left)?;
        self.stream.flush().await.map_err(|_| End::Left)
    }

    /// Lets time pass. A client that leaves cuts it short: what it said before is still to be read.
    pub(super) async fn pause(&mut self, time: Duration) -> Result<(), End> {
        if !time.is_zero() {
            self.flush().await?;
            select! { () = sleep(time) => {}, () = self.plug.pulled() => {} }
        }
        Ok(())
    }

    /// Ends the connection.
    pub(super) async fn end(&mut self, ending: Ending) {
        match ending {
            Ending::Reset => self.plug.reset(),
            Ending::Close => {
                let _ = self.flush().await;
                let _ = self.stream.shutdown().await; // the client may have been faster
            }
        }
    }

    /// The connection without its lines, to be encrypted. What was heard and not read is lost, as it must be.
    pub(super) fn into_parts(self) -> (Box<dyn Stream>, Plug) {
        (self.stream, self.plug)
    }

    pub(super) fn from_parts(stream: Box<dyn Stream>, plug: Plug) -> Self {
        Self { stream, plug, heard: Vec::new(), unsaid: Vec::new() }
    }
}

impl Line {
    fn of(octets: &[u8]) -> Self {
        let text = octets.strip_suffix(b"\n").unwrap_or(octets);
        let whole = text.strip_suffix(b"\r");
        Self {
            text: String::from_utf8_lossy(whole.unwrap_or(text)).into_owned(),
            octets: octets.len(),
            bare_lf: whole.is_none(),
        }
    }
}
