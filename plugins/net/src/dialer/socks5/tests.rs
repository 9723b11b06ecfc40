//! Against a small proxy on loopback.

use std::{net::Ipv4Addr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpListener,
};

use super::*;

const SUCCEEDED: u8 = 0;

/// What a proxy does.
#[derive(Clone)]
struct Behaviour {
    /// User and password that it wants.
    login: Option<(&'static str, &'static str)>,
    /// The reply to CONNECT; only [`SUCCEEDED`] leads to the target.
    reply: u8,
    /// Its greeting, in place of a proper one.
    greeting: Option<&'static [u8]>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { login: None, reply: SUCCEEDED, greeting: None }
    }
}

/// Starts a proxy; its address.
async fn proxy(behaviour: Behaviour) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, behaviour.clone()));
        }
    });
    address
}

/// Ends early, and so hangs up, when the client does not speak as it should.
async fn serve(mut client: TcpStream, behaviour: Behaviour) -> io::Result<()> {
    let [_, methods] = read::<2>(&mut client).await?;
    let mut offered = vec![0; usize::from(methods)];
    client.read_exact(&mut offered).await?;
    if let Some(greeting) = behaviour.greeting {
        return client.write_all(greeting).await;
    }
    let method = if behaviour.login.is_some() { 2 } else { 0 };
    if !offered.contains(&method) {
        return client.write_all(&[5, 0xff]).await;
    }
    client.write_all(&[5, method]).await?;
    if let Some((user, password)) = behaviour.login {
        let is_known = login(&mut client).await? == (user.to_owned(), password.to_owned());
        client.write_all(&[1, u8::from(!is_known)]).await?;
    }
    // IPv4 alone: a name would be misread, and the dialogue would end there.
    let [5, 1, 0, 1, a, b, c, d, high, low] = read::<10>(&mut client).await? else { return Ok(()) };
    client.write_all(&[5, behaviour.reply, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    if behaviour.reply == SUCCEEDED {
        let port = u16::from_be_bytes([high, low]);
        let mut target = TcpStream::connect((Ipv4Addr::new(a, b, c, d), port)).await?;
        copy_bidirectional(&mut client, &mut target).await?;
    }
    Ok(())
}

async fn login(client: &mut TcpStream) -> io::Result<(String, String)> {
    let [_, length] = read::<2>(client).await?;
    let user = text(client, length).await?;
    let [length] = read::<1>(client).await?;
    Ok((user, text(client, length).await?))
}

async fn text(client: &mut TcpStream, length: u8) -> io::Result<String> {
    let mut octets = vec![0; usize::from(length)];
    client.read_exact(&mut octets).await?;
    Ok(String::from_utf8(octets).unwrap())
}

async fn read<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut octets = [0; N];
    client.read_exact(&mut octets).await?;
    Ok(octets)
}

/// A mail host that says only this.
async fn host() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            client.write_all(b"220 mx.example.org\r\n").await.unwrap();
        }
    });
    address
}

async fn dial(url: &str, bind: Option<&str>) -> io::Result<String> {
    let dialer = Socks5Dialer::new(url.parse().unwrap(), bind.map(|ip| ip.parse().unwrap()));
    let mut stream = dialer.dial(host().await).await?;
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await?;
    Ok(heard)
}

async fn error_of(behaviour: Behaviour) -> io::Error {
    dial(&format!("socks5://{}", proxy(behaviour).await), None).await.unwrap_err()
}

#[tokio::test]
async fn reaches_the_host_through_the_proxy() {
    let proxy = proxy(Behaviour::default()).await;
    for url in [format!("socks5://{proxy}"), format!("socks5://localhost:{}", proxy.port())] {
        assert_eq!(dial(&url, None).await.unwrap(), "220 mx.example.org\r\n");
    }
}

#[tokio::test]
async fn logs_in_where_that_is_wanted() {
    let wants = Behaviour { login: Some(("ada", "h@sh")), ..Behaviour::default() };
    let (open, closed) = (proxy(Behaviour::default()).await, proxy(wants).await);
    assert!(dial(&format!("socks5://ada:h%40sh@{closed}"), None).await.is_ok());
    assert!(dial(&format!("socks5://ada:h%40sh@{open}"), None).await.is_ok());
    for login in ["", "ada:wrong@"] {
        let error = dial(&format!("socks5://{login}{closed}"), None).await.unwrap_err();
        assert_eq!(EgressFault::of(&error), Some(EgressFault::ProxyLogin), "{login}");
    }
}

#[tokio::test]
async fn the_bound_address_is_the_one_towards_the_proxy() {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("socks5://{}", listener.local_addr().unwrap());
    let dialled = tokio::spawn(async move { dial(&url, Some("127.0.0.9")).await });
    let (client, from) = listener.accept().await.unwrap();
    assert_eq!(from.ip(), Ipv4Addr::new(127, 0, 0, 9));
    serve(client, Behaviour::default()).await.unwrap();
    dialled.await.unwrap().unwrap();
}

#[tokio::test]
async fn replies_about_the_target_are_no_fault_of_the_proxy() {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut};
    for (reply, kind) in [
        (1, HostUnreachable),
        (2, HostUnreachable),
        (3, NetworkUnreachable),
        (4, HostUnreachable),
        (5, ConnectionRefused),
        (6, TimedOut),
        (8, NetworkUnreachable),
        (9, HostUnreachable),
    ] {
        let error = error_of(Behaviour { reply, ..Behaviour::default() }).await;
        assert_eq!((error.kind(), EgressFault::of(&error)), (kind, None), "{reply}");
    }
}

#[tokio::test]
async fn what_is_no_proxy_is_told_from_a_host_that_is_out_of_reach() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = dial(&format!("socks5://{free}"), None).await.unwrap_err();
    let refused = EgressFault::ProxyUnreachable(io::ErrorKind::ConnectionRefused);
    assert_eq!(EgressFault::of(&error), Some(refused));

    let error = dial("socks5://proxy.invalid:1080", None).await.unwrap_err();
    assert_eq!(EgressFault::of(&error), Some(EgressFault::ProxyName));

    let error = error_of(Behaviour { reply: 7, ..Behaviour::default() }).await;
    assert_eq!(EgressFault::of(&error), Some(EgressFault::ProxyProtocol));
    for greeting in ["HTTP/1.1 400 Bad Request\r\n", "220 mx.example.org\r\n"] {
        let error = error_of(Behaviour { greeting: Some(greeting.as_bytes()), ..Behaviour::default() }).await;
        assert_eq!(EgressFault::of(&error), Some(EgressFault::ProxyProtocol), "{greeting}");
    }
    let error = error_of(Behaviour { greeting: Some(b""), ..Behaviour::default() }).await;
    assert_eq!((error.kind(), EgressFault::of(&error)), (io::ErrorKind::HostUnreachable, None));
}
