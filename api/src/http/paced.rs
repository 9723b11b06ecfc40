//! A connection whose client has to keep up: he asks for something now and then, a head that has begun must be whole in
//! time, and an answer must be taken. How long a body may take is the reader's to watch.

use std::{
    io::{self, IoSlice},
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

/// Octets up to which pieces are written as one: head and body of most answers. To join them here costs less than to have
/// the system do it, which is right for what is larger.
const JOINED_MAX: usize = 2 * 1024;

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

/// How long the client may take for one thing. Clients that keep up cost next to nothing: there is a timer only from the
/// first time that the connection waits. It is left as it is when nobody waits any more, and also when somebody waits for a
/// later moment; then it wakes the connection for nothing, and is moved.
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

    /// Whether it is over, which it is so long after the first time that this is asked.
    fn is_over(&mut self, max: Duration) -> bool {
        let now = Instant::now();
        *self.until.get_or_insert(now + max) <= now
    }

    /// The same; where it is not, the connection is woken when it is.
    fn is_over_or_wakes(&mut self, max: Duration, cx: &mut Context<'_>) -> bool {
        let until = *self.until.get_or_insert_with(|| Instant::now() + max);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() > until {
            timer.as_mut().reset(until);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if timer.deadline() == until {
                return true;
            }
            timer.as_mut().reset(until);
        }
        false
    }
}

/// A stream that fails when its client does not keep up.
pub(super) struct Paced<S> {
    stream: S,
    pace: Pace,
    idle_max: Duration,
    /// Until something is asked for.
    idle: Patience,
    /// Until the head is whole.
    head: Patience,
    /// Until something of an answer is taken.
    taken: Patience,
}

impl<S> Paced<S> {
    /// `idle_max`: for the client to ask for something, at first and after each answer.
    pub(super) fn new(stream: S, pace: Pace, idle_max: Duration) -> Self {
        let [idle, head, taken] = std::array::from_fn(|_| Patience::default());
        Self { stream, pace, idle_max, idle, head, taken }
    }

    /// Whether nothing was asked for, for too long.
    fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        if self.pace.is_idle() {
            self.idle.is_over_or_wakes(self.idle_max, cx)
        } else {
            self.idle.rest();
            false
        }
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
        } else if self.taken.is_over_or_wakes(UNREAD_MAX, cx) {
            return late();
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
            // What is left of another one's time, if nothing was read since, is not this one's.
            this.idle.rest();
            this.head.rest();
        }
        let is_late = if !this.pace.is_in_head() {
            this.head.rest();
            read.is_pending() && this.is_quiet(cx)
        } else if read.is_ready() {
            // Octets may keep coming, one now and then.
            this.head.is_over(HEAD_MAX)
        } else {
            this.head.is_over_or_wakes(HEAD_MAX, cx)
        };
        if is_late { late() } else { read }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, octets);
        this.wait_for_client(cx, written)
    }

    /// hyper keeps no copy of what it hands on in pieces, and holds each until it is written.
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let octets: usize = slices.iter().map(|slice| slice.len()).sum();
        let written = if octets <= JOINED_MAX {
            let (mut joined, mut end) = ([0; JOINED_MAX], 0);
            for slice in slices {
                joined[end..end + slice.len()].copy_from_slice(slice);
                end += slice.len();
            }
            Pin::new(&mut this.stream).poll_write(cx, &joined[..end])
        } else {
            Pin::new(&mut this.stream).poll_write_vectored(cx, slices)
        };
        this.wait_for_client(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        let flushed = this.wait_for_client(cx, flushed);
        // The last of an answer has left. Who read while it was made may not read again before something comes.
        if flushed.is_ready() && this.is_quiet(cx) { late() } else { flushed }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.wait_for_client(cx, shut)
    }
}

/// The client has taken too long.
fn late<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        net::UnixStream,
        time::{advance, sleep, timeout},
    };

    use super::*;

    /// For longer than anybody is quiet here, but for who is to be cut off for it.
    const IDLE_MAX: Duration = Duration::from_mins(5);

    /// A second less than an answer may be left untaken.
    const ALMOST: Duration = Duration::from_secs(UNREAD_MAX.as_secs() - 1);

    #[tokio::test(start_paused = true)]
    async fn a_head_in_single_octets_ends_in_time() {
        let (mut client, server) = duplex(64);
        let mut server = Paced::new(server, Pace::default(), IDLE_MAX);
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
        let mut server = Paced::new(server, pace.clone(), IDLE_MAX);
        let mut octets = [0; 8];
        assert!(timeout(HEAD_MAX * 5, server.read(&mut octets)).await.is_err());
        client.write_all(b"GET").await.unwrap();
        assert_eq!(server.read(&mut octets).await.unwrap(), 3);
        assert!(!pace.is_idle());
        pace.answering();
        assert!(timeout(HEAD_MAX * 5, server.read(&mut octets)).await.is_err());
        pace.answered();
        assert!(pace.is_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_for_nothing_is_cut_off_also_where_nobody_reads_after_an_answer() {
        let (mut client, server) = duplex(64);
        let pace = Pace::default();
        let mut server = Paced::new(server, pace.clone(), IDLE_MAX);
        let mut octet = [0];
        // Answered at once, with no look at what comes meanwhile, or later.
        for is_at_once in [false, true, true, true, false] {
            let quiet = timeout(IDLE_MAX / 2, server.read(&mut octet)).await;
            assert!(quiet.is_err(), "{quiet:?}");
            client.write_all(b"1").await.unwrap();
            server.read_exact(&mut octet).await.unwrap();
            pace.answering();
            if is_at_once {
                pace.answered();
                server.flush().await.unwrap();
                continue;
            }
            let read =
                poll_fn(|cx| Poll::Ready(Pin::new(&mut server).poll_read(cx, &mut ReadBuf::new(&mut [0]))));
            assert!(read.await.is_pending());
            pace.answered();
            server.flush().await.unwrap();
        }
        let began = Instant::now();
        assert_eq!(server.read(&mut octet).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), IDLE_MAX);
    }

    #[tokio::test]
    async fn what_comes_in_pieces_is_written_in_their_order_small_or_large() {
        let (client, server) = UnixStream::pair().unwrap();
        let mut server = Paced::new(server, Pace::default(), IDLE_MAX);
        assert!(server.is_write_vectored());
        let (small, large) = (vec![1; 100], vec![2; JOINED_MAX]);
        let mut sent = Vec::new();
        for (head, body) in [(&small, &small), (&small, &large), (&large, &small)] {
            // Large ones may be taken in part.
            let pieces = [IoSlice::new(head), IoSlice::new(body)];
            let written = server.write_vectored(&pieces).await.unwrap();
            let whole = [head.as_slice(), body].concat();
            assert!(written > head.len());
            sent.extend_from_slice(&whole[..written]);
        }
        drop(server);
        let mut heard = Vec::new();
        { client }.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, sent);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_came_with_another_one_has_its_own_time() {
        let (mut client, server) = duplex(64);
        let pace = Pace::default();
        let mut server = Paced::new(server, pace.clone(), IDLE_MAX);
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
        let mut server = Paced::new(server, Pace::default(), IDLE_MAX);
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
