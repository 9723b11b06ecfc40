//! A connection in memory: two ends, and a way in each direction that takes time.
//!
//! Octets carry the time at which they are due, so a long way delays them without holding up those behind: a burst of
//! commands takes as long as one. Time is tokio's and stands still when tokio's does.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    time::{Instant, Sleep, sleep_until},
};

use crate::say::Ending;

/// Octets under way before a writer has to wait, as a socket's buffer would have it.
const UNDER_WAY_MAX: usize = 64 * 1024;

/// One end of a connection. Dropping it closes both ways.
#[derive(Debug)]
pub struct Cable {
    incoming: Arc<Mutex<Way>>,
    outgoing: Arc<Mutex<Way>>,
    /// One way.
    delay: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
}

/// One direction.
#[derive(Debug)]
struct Way {
    queue: VecDeque<(Instant, Vec<u8>)>,
    octets: usize,
    end: Option<(Instant, Ending)>,
    /// Nobody will read any more.
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Dropped when the writer is done.
    writing: Option<watch::Sender<()>>,
}

impl Cable {
    /// Both ends of a connection on which octets take `delay` from one end to the other.
    pub(crate) fn pair(delay: Duration) -> (Self, Self) {
        let (there, back) = (Way::new(), Way::new());
        let end = |incoming: &Arc<Mutex<Way>>, outgoing: &Arc<Mutex<Way>>| Self {
            incoming: incoming.clone(),
            outgoing: outgoing.clone(),
            delay,
            alarm: None,
        };
        (end(&back, &there), end(&there, &back))
    }

    /// What remains to be known and done about the connection when the cable itself is inside something else.
    pub(crate) fn plug(&self) -> Plug {
        let writing = locked(&self.incoming).writing.as_ref().map(watch::Sender::subscribe);
        Plug { outgoing: self.outgoing.clone(), writing }
    }

    /// Waits until `due`, or a word from the other end.
    fn poll_alarm(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if alarm.deadline() != due {
            alarm.as_mut().reset(due);
        }
        alarm.as_mut().poll(cx)
    }
}

impl AsyncRead for Cable {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let cable = self.get_mut();
        loop {
            let incoming = cable.incoming.clone();
            let mut way = locked(&incoming);
            if way.deliver(buffer) {
                return Poll::Ready(Ok(()));
            }
            let due = match (way.queue.front(), way.end) {
                (Some((due, _)), _) => Some(*due),
                (None, Some((due, ending))) if due <= Instant::now() => return Poll::Ready(ending.read()),
                (None, end) => end.map(|(due, _)| due),
            };
            way.reader = Some(cx.waker().clone());
            drop(way);
            match due {
                Some(due) => ready!(cable.poll_alarm(due, cx)),
                None => return Poll::Pending,
            }
        }
    }
}

impl AsyncWrite for Cable {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let mut way = locked(&self.outgoing);
        if way.abandoned || way.end.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = UNDER_WAY_MAX.saturating_sub(way.octets).min(octets.len());
        if room == 0 && !octets.is_empty() {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        way.octets += room;
        way.queue.push_back((Instant::now() + self.delay, octets[..room].to_vec()));
        wake(&mut way.reader);
        Poll::Ready(Ok(room))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        locked(&self.outgoing).finish(self.delay, Ending::Close);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        locked(&self.outgoing).finish(self.delay, Ending::Close);
        let mut incoming = locked(&self.incoming);
        incoming.abandoned = true;
        incoming.queue = VecDeque::new();
        wake(&mut incoming.writer);
    }
}

/// A hold on a connection: to end it the hard way, and to know when the other end is done.
#[derive(Debug, Clone)]
pub(crate) struct Plug {
    outgoing: Arc<Mutex<Way>>,
    writing: Option<watch::Receiver<()>>,
}

impl Plug {
    /// Ends the connection as a TCP reset does: what is under way is lost.
    pub(crate) fn reset(&self) {
        let mut way = locked(&self.outgoing);
        way.queue.clear();
        way.finish(Duration::ZERO, Ending::Reset);
    }

    /// Returns when the other end will not write any more.
    pub(crate) async fn pulled(&mut self) {
        if let Some(writing) = &mut self.writing {
            while writing.changed().await.is_ok() {}
        }
    }
}

impl Way {
    fn new() -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            queue: VecDeque::new(),
            octets: 0,
            end: None,
            abandoned: false,
            reader: None,
            writer: None,
            writing: Some(watch::channel(()).0),
        }))
    }

    /// Hands over what has arrived; whether that was anything.
    fn deliver(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let now = Instant::now();
        let before = buffer.filled().len();
        while let Some((due, octets)) = self.queue.front_mut()
            && *due <= now
            && buffer.remaining() > 0
        {
            let count = buffer.remaining().min(octets.len());
            buffer.put_slice(&octets[..count]);
            octets.drain(..count);
            self.octets -= count;
            if octets.is_empty() {
                self.queue.pop_front();
            }
        }
        let delivered = buffer.filled().len() > before;
        if delivered {
            wake(&mut self.writer);
        }
        delivered
    }

    fn finish(&mut self, delay: Duration, ending: Ending) {
        self.end.get_or_insert_with(|| (Instant::now() + delay, ending));
        self.writing = None;
        wake(&mut self.reader);
    }
}

impl Ending {
    /// What a reader gets after the last octet.
    fn read(self) -> io::Result<()> {
        match self {
            Self::Close => Ok(()),
            Self::Reset => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

fn locked(way: &Mutex<Way>) -> MutexGuard<'_, Way> {
    way.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const DELAY: Duration = Duration::from_millis(25);

    #[tokio::test(start_paused = true)]
    async fn octets_take_their_time_and_do_not_queue() {
        let (mut ours, mut theirs) = Cable::pair(DELAY);
        let started = Instant::now();
        ours.write_all(b"one").await.unwrap();
        tokio::time::advance(Duration::from_millis(10)).await;
        ours.write_all(b"two").await.unwrap();
        let mut buffer = [0; 8];
        assert_eq!(theirs.read(&mut buffer).await.unwrap(), 3);
        assert_eq!(started.elapsed().as_millis(), 25);
        assert_eq!(theirs.read(&mut buffer).await.unwrap(), 3);
        assert_eq!(started.elapsed().as_millis(), 35);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_written_before_the_end_arrives() {
        let (mut ours, mut theirs) = Cable::pair(DELAY);
        ours.write_all(b"QUIT").await.unwrap();
        drop(ours);
        let mut text = String::new();
        theirs.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "QUIT");
        assert_eq!(theirs.write(b"221").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test(start_paused = true)]
    async fn reset_is_an_error_and_loses_what_was_under_way() {
        let (mut ours, mut theirs) = Cable::pair(DELAY);
        theirs.write_all(b"250").await.unwrap();
        theirs.plug().reset();
        assert_eq!(ours.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test(start_paused = true)]
    async fn writer_waits_for_room() {
        let (mut ours, mut theirs) = Cable::pair(DELAY);
        let much = vec![b'x'; 3 * UNDER_WAY_MAX];
        let (written, read) = tokio::join!(
            async {
                ours.write_all(&much).await.unwrap();
                drop(ours);
                Instant::now()
            },
            async {
                let mut all = Vec::new();
                theirs.read_to_end(&mut all).await.unwrap();
                all.len()
            }
        );
        assert_eq!(read, 3 * UNDER_WAY_MAX);
        assert!(written <= Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn pulled_plug_is_noticed_at_once() {
        let (ours, theirs) = Cable::pair(DELAY);
        let mut plug = theirs.plug();
        drop(ours);
        plug.pulled().await;
    }
}
