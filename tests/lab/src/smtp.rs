//! Mail servers (RFC 5321), as far as RCPT. Each session is a task; what outlives sessions is the server's memory.

mod command;
mod ehlo;
mod memory;
mod recipient;
mod reply;
mod session;
mod speech;
mod tls;
mod wire;

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{cable::Cable, counts::Book, host::Host};
use memory::Memory;
use session::Session;
use tls::Identity;

/// A mail server with what it knows and what is known of it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) host: Host,
    pub(crate) book: Arc<Book>,
    memory: Memory,
    identity: Identity,
}

impl Server {
    pub(crate) fn new(name: &str, host: Host, book: Book) -> Self {
        let memory = Memory::new(host.limits.pace.clone(), host.limits.flow);
        let identity = Identity::new(name, host.ehlo.starttls);
        Self { name: name.to_owned(), host, book: Arc::new(book), memory, identity }
    }
}

/// Counts a connection, and serves it to its end. `hold` is the time until the server hears of it.
pub(crate) fn serve(
    server: Arc<Server>,
    client: IpAddr,
    cable: Cable,
    hold: Duration,
) -> impl Future<Output = ()> + Send {
    server.book.note(|tally| {
        tally.connections += 1;
        tally.round_trips += 1;
    });
    let open = server.book.open_session();
    async move {
        sleep(hold).await;
        Session::new(server, client, cable).run().await;
        drop(open);
    }
}
