//! A connection whose client has to keep up: a head that has begun must be whole in time, and an answer must be taken.
//! How long a connection may be quiet between requests is hyper's to watch, how long a body may take is the reader's.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// For the head of a request, from its first octet.
pub(super) const HEAD_MAX: Duration = Duration::from_secs(10);

/// For the client to take anything at all of its answer.
pub(super) const UNREAD_MAX: Duration = Duration::from_secs(30);

/// Nothing is under way.
const IDLE: u8 = 0;
/// A head has begun.
const HEAD: u8 = 1;
/// A request is being answered.
const BUSY: u8 = 2;

/// Where a connection is, for its stream and for who answers.
#[derive(Debug, Default, Clone)]
pub(super) struct Pace(Arc<Place>);

#[derive(Debug, Default)]
struct Place {
    phase: AtomicU8,
    /// Part of an answer is not yet taken.
    is_owing: AtomicBool,
}

impl Pace {
    /// The head is read.
    pub(super) fn answering(&self) {
        self.0.phase.store(BUSY, Relaxed);
    }

    /// The answer is written, or given up.
    pub(super) fn answered(&self) {
        self.0.phase.store(IDLE, Relaxed);
    }

    /// Nobody would miss the connection.
    pub(super) fn is_idle(&self) -> bool {
        self.0.phase.load(Relaxed) == IDLE && !self.0.is_owing.load(Relaxed)
    }

    /// Octets have come. Whether a head begins with them.
    fn heard(&self) -> bool {
        self.0.phase.compare_exchange(IDLE, HEAD, Relaxed, Relaxed).is_ok()
    }

    fn is_in_head(&self) -> bool {
        self.0.phase.load(Relaxed) == HEAD
    }
}

/// How long the client may take for one thing. Clients that keep up cost no timer: there is one only from the first time
/// that the connection waits. It is left as it is when nobody waits any more, and then wakes the connection for nothing,
/// once at most.
#[derive(Debug, Default)]
struct Patience {
    until: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// The client has done it.
    fn rest(&mut self) {
        self.until = None;
    }

    /// The moment when it is over, which is so long from the first time that it is asked for.
    fn until(&mut self, max: Duration) -> Instant {
        *self.until.get_or_insert_with(|| Instant::now() + max)
    }

    /// Whether it is over; where it is not, the connection is woken when it is.
    fn is_over(&mut self, max: Duration, cx: &mut Context<'_>) -> bool {
        let until = self.until(max);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx).is_ready()
    }
}

/// A stream that fails when its client does not keep up.
pub(super) struct Paced<S> {
    stream: S,
    pace: Pace,
    /// Until the head is whole.
    head: Patience,
    /// Until something of an answer is taken.
    taken: Patience,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, pace: Pace) -> Self {
        Self { stream, pace, head: Patience::default(), taken: Patience::default() }
    }

    /// Whether a write that waits has waited for too long.
    fn wait_for_client<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.pace.0.is_owing.store(written.is_pending(), Relaxed);
        if written.is_ready() {
            self.taken.rest();
        } else if self.taken.is_over(UNREAD_MAX, cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if read.is_ready() && buf.filled().len() > before && this.pace.heard() {
            // What is left of another head's time, if nothing was read since, is not this one's.
            this.head.rest();
        }
        if !this.pace.is_in_head() {
            this.head.rest();
            return read;
        }
        // Looked at also where octets keep coming, one now and then.
        let is_late = match &read {
            Poll::Ready(_) => this.head.until(HEAD_MAX) <= Instant::now(),
            Poll::Pending => this.head.is_over(HEAD_MAX, cx),
        };
        if is_late { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { read }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, octets);
        this.wait_for_client(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.wait_for_client(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.wait_for_client(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.wait_for_client(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        time::{advance, sleep},
    };

    use super::*;

    /// A second less than an answer may be left untaken.
    const ALMOST: Duration = Duration::from_secs(UNREAD_MAX.as_secs() - 1);

    #[tokio::test(start_paused = true)]
    async fn a_head_in_single_octets_ends_in_time() {
        let (mut client, server) = duplex(64);
        let mut server = Paced::new(server, Pace::default());
        let began = Instant::now();
        tokio::spawn(async move {
            loop {
                if client.write_all(b"G").await.is_err() {
                    return;
                }
                sleep(Duration::from_secs(1)).await;
            }
        });
        let mut octets = [0; 8];
        let error = loop {
            if let Err(error) = server.read(&mut octets).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), HEAD_MAX.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_connection_and_one_at_work_are_let_alone() {
        let (mut client, server) = duplex(64);
        let pace = Pace::default();
        let mut server = Paced::new(server, pace.clone());
        let mut octets = [0; 8];
        assert!(tokio::time::timeout(HEAD_MAX * 5, server.read(&mut octets)).await.is_err());
        client.write_all(b"GET").await.unwrap();
        assert_eq!(server.read(&mut octets).await.unwrap(), 3);
        assert!(!pace.is_idle());
        pace.answering();
        assert!(tokio::time::timeout(HEAD_MAX * 5, server.read(&mut octets)).await.is_err());
        pace.answered();
        assert!(pace.is_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_came_with_another_one_has_its_own_time() {
        let (mut client, server) = duplex(64);
        let pace = Pace::default();
        let mut server = Paced::new(server, pace.clone());
        client.write_all(b"12").await.unwrap();
        let mut octet = [0];
        server.read_exact(&mut octet).await.unwrap();
        pace.answering();
        advance(HEAD_MAX * 2).await;
        pace.answered();
        assert_eq!(server.read(&mut octet).await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let (mut client, server) = duplex(4);
        let mut server = Paced::new(server, Pace::default());
        server.write_all(b"1234").await.unwrap();
        let began = Instant::now();
        tokio::spawn(async move {
            // It takes a little, and then nothing.
            sleep(ALMOST).await;
            let mut octet = [0];
            client.read_exact(&mut octet).await.unwrap();
            advance(Duration::ZERO).await;
            std::future::pending::<()>().await;
            drop(client);
        });
        let error = server.write_all(b"56").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 2 * UNREAD_MAX.as_secs() - 1);
    }
}
