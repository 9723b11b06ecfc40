//! The listener: how many connections there may be, what slow clients may do, and how it ends.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use anyhow::{Context as _, Result};
use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::sleep,
};

use super::{
    HttpConfig,
    front::Front,
    head::HEADERS_OCTETS_MAX,
    paced::{Pace, Paced},
};
use crate::metrics::{Limit, descriptors_max};

/// Octets of a head that is read, its line and headers together: more than `head` allows, so that the refusal is in the
/// words of a facade.
const HEAD_OCTETS_MAX: usize = 2 * HEADERS_OCTETS_MAX;

/// The pause where no connection can be taken: file descriptors are short, and others have to give some back.
const PAUSE: Duration = Duration::from_millis(100);

/// File descriptors that are not for clients: the database's, those of sessions with mail servers, files.
const DESCRIPTORS_OF_OTHERS: u64 = 256;

/// A listener that is bound.
pub(crate) struct Server {
    listener: TcpListener,
    front: Arc<Front>,
    connections: Arc<Semaphore>,
    idle_max: Duration,
    drain_max: Duration,
}

impl Server {
    /// Binds the address. From here on, connections wait to be taken.
    ///
    /// # Errors
    /// The address is somebody else's, or not of this host.
    pub(crate) async fn bind(config: &HttpConfig, front: Arc<Front>) -> Result<Self> {
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {}", config.listen))?;
        let connections = Arc::new(Semaphore::new(connections_max(config.connections_max.get())));
        Ok(Self { listener, front, connections, idle_max: config.idle_max, drain_max: config.drain_max })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `goodbye` ends; then answers what was asked, until `hurry` ends or time is up.
    pub(crate) async fn run(self, goodbye: impl Future<Output = ()>, hurry: impl Future<Output = ()>) {
        let (leaving, left) = watch::channel(false);
        let mut open = JoinSet::new();
        let mut goodbye = pin!(goodbye);
        loop {
            let taken = select! {
                taken = self.take() => taken,
                () = &mut goodbye => break,
            };
            let (stream, from, place) = taken;
            open.spawn(self.connection(stream, from.ip(), place, left.clone()));
            while open.try_join_next().is_some() {}
        }
        self.front.drain();
        let Self { listener, front, drain_max, .. } = self;
        // Whoever comes now is told so by the system, and asks elsewhere.
        drop(listener);
        leaving.send_replace(true);
        let all = async {
            while open.join_next().await.is_some() {}
            // Clients who have gone will come back for their answers.
            front.ongoing().over().await;
        };
        select! {
            () = all => {}
            () = sleep(drain_max) => tracing::warn!("requests are given up: they take longer than drain_max"),
            () = hurry => {}
        }
    }

    /// The next connection, when there is a place for it.
    async fn take(&self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        let place = self.place().await;
        loop {
            match self.listener.accept().await {
                Ok((stream, from)) => return (stream, from, place),
                Err(error) => {
                    tracing::warn!("no connection can be taken: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        if let Ok(place) = self.connections.clone().try_acquire_owned() {
            return place;
        }
        self.front.metrics().met(Limit::Connections);
        tracing::warn!("all connections are taken; others wait");
        loop {
            // The semaphore is never closed.
            if let Ok(place) = self.connections.clone().acquire_owned().await {
                return place;
            }
        }
    }

    /// One connection, to its end.
    fn connection(
        &self,
        stream: TcpStream,
        from: IpAddr,
        seat: OwnedSemaphorePermit,
        mut left: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (front, idle_max) = (self.front.clone(), self.idle_max);
        async move {
            let _seat = seat;
            let gauge = front.metrics().connections.clone();
            gauge.inc();
            // Answers are small, and are waited for.
            let _ = stream.set_nodelay(true);
            let pace = Pace::default();
            let stream_io = TokioIo::new(Paced::new(stream, pace.clone(), idle_max));
            let answers = pace.clone();
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                answers.answering();
                let (front, pace) = (front.clone(), answers.clone());
                async move {
                    let response = front.answer(Request::from(request.map(Body::new)), from).await;
                    Ok::<_, Infallible>(response.map(|body| Watched { body, pace }))
                }
            });
            let mut builder = http1::Builder::new();
            // How long one may be quiet, and how slow, the stream knows: hyper would set a timer for each head.
            builder.header_read_timeout(None).max_buf_size(HEAD_OCTETS_MAX);
            let mut connection = pin!(builder.serve_connection(stream_io, service));
            // How it ends is the client's affair.
            select! {
                _ = connection.as_mut() => {}
                () = is_left(&mut left) => {
                    if !pace.is_idle() {
                        connection.as_mut().graceful_shutdown();
                        let _ = connection.await;
                    }
                }
            }
            gauge.dec();
        }
    }
}

/// Ends when it is time to leave.
async fn is_left(left: &mut watch::Receiver<bool>) {
    // Who could say so has gone.
    let _ = left.wait_for(|is_leaving| *is_leaving).await;
}

/// As configured, or fewer where there are not enough file descriptors.
fn connections_max(configured: usize) -> usize {
    let Some(descriptors) = descriptors_max() else { return configured };
    let most = descriptors.saturating_sub(DESCRIPTORS_OF_OTHERS).max(descriptors / 2).max(1);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if most < configured {
        tracing::warn!("{most} connections at most, since only {descriptors} files may be open (ulimit -n)");
    }
    configured.min(most)
}

/// The body of an answer. With it, the connection is at work no longer.
struct Watched {
    body: Body,
    pace: Pace,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.pace.answered();
    }
}
