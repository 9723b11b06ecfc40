//! Is a mail server up? It is when it greets (RFC 5321 §3.1). Nothing else is said to it.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Servers on loopback greet within milliseconds, once they do.
const GREETS_WITHIN: Duration = Duration::from_secs(10);

/// Whether `server` greets us. The session ends as a client in a hurry ends it.
pub fn greets(server: SocketAddr) -> bool {
    let Ok(stream) = TcpStream::connect(server) else { return false };
    let mut greeting = String::new();
    let _ = stream.set_read_timeout(Some(GREETS_WITHIN));
    BufReader::new(stream).read_line(&mut greeting).is_ok() && greeting.starts_with("220 ")
}
