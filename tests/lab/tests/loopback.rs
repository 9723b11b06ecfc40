//! The internet on real sockets.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod client;

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use mailsonde_lab::{Internet, Net, RecordType};

/// Long for loopback, short to wait for.
const SOON: Duration = Duration::from_millis(300);

fn listen(zone: &str, hosts: &str) -> Net {
    Internet::parse(zone, hosts).unwrap().listen().unwrap()
}

/// A connection to a server, with its greeting read.
fn connect(net: &Net, host: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect_timeout(&net.smtp(host).unwrap(), SOON).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut stream = BufReader::new(stream);
    assert!(line(&mut stream).starts_with("220 "));
    stream
}

fn line(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line
}

/// A question over UDP: the code and the number of answers of each packet that comes.
fn ask(net: &Net, name: &str, record_type: RecordType) -> Vec<(u8, u8)> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket.send_to(&question(name, record_type), net.dns()).unwrap();
    let mut packet = [0; 2048];
    std::iter::from_fn(|| socket.recv(&mut packet).ok().map(|_| (packet[3] & 0xf, packet[7]))).collect()
}

fn question(name: &str, record_type: RecordType) -> Vec<u8> {
    let mut packet = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend(label.bytes());
    }
    packet.push(0);
    packet.extend(record_type.number().to_be_bytes());
    packet.extend([0, 1]);
    packet
}

#[test]
fn servers_have_addresses_of_their_own() {
    let net =
        listen("a.test MX 10 mx.a.test\nalias.test HOST mx.a.test", "[host.\"mx.a.test\"]\n[host.other]");
    assert_ne!(net.smtp("mx.a.test"), net.smtp("other"));
    let mut stream = connect(&net, "mx.a.test");
    stream.get_mut().write_all(b"QUIT\r\n").unwrap();
    assert_eq!(line(&mut stream), "221 2.0.0 Bye\r\n");
    assert_eq!(net.internet().counts().hosts["mx.a.test"].connections, 1);
    assert_eq!(ask(&net, "alias.test", RecordType::A), [(0, 1)]);
    assert_eq!(ask(&net, "a.test", RecordType::Mx), [(0, 1)]);
    assert_eq!(ask(&net, "nobody.test", RecordType::Mx), [(3, 0)]);
    assert_eq!(net.internet().counts().dns_queries(), 3);
}

#[test]
fn two_internets_stand_beside_each_other_and_end() {
    let (one, two) = (listen("", "[host.mx]"), listen("", "[host.mx]"));
    let (address, _) = (one.smtp("mx").unwrap(), connect(&one, "mx"));
    connect(&two, "mx");
    drop(one);
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    connect(&two, "mx");
}

#[test]
fn refused_and_silent_servers() {
    let net = listen("", "[host.refused]\nreach = 'refused'\n[host.silent]\nreach = 'silent'");
    let connect = |host| TcpStream::connect_timeout(&net.smtp(host).unwrap(), SOON).unwrap_err().kind();
    assert_eq!(connect("refused"), ErrorKind::ConnectionRefused);
    assert_eq!(connect("silent"), ErrorKind::TimedOut);
}

#[test]
fn ipv6_is_the_loopback_address() {
    let net = listen("", "[host.mx]\nipv6 = true");
    assert!(matches!(net.smtp("mx"), Some(SocketAddr::V6(_))));
    connect(&net, "mx");
    assert_eq!(ask(&net, "mx", RecordType::Aaaa), [(0, 1)]);
    assert_eq!(ask(&net, "mx", RecordType::A), [(0, 0)]);
}

#[test]
fn reset_is_a_reset() {
    let net = listen("", "[host.mx]\nsays.ehlo = { raw = '', then = 'reset' }");
    let mut stream = connect(&net, "mx");
    stream.get_mut().write_all(b"EHLO probe.lab.test\r\n").unwrap();
    assert_eq!(stream.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn banner_comes_two_round_trips_late() {
    let net = listen("", "rtt = '50ms'\n[host.mx]");
    let started = Instant::now();
    connect(&net, "mx");
    assert!(started.elapsed() >= Duration::from_millis(100), "{:?}", started.elapsed());
}

#[test]
fn dns_has_its_faults() {
    let zone = "broken.test SERVFAIL\nrude.test REFUSED\nmute.test SILENT\ncut.test TRUNCATED\n\
                forged.test FORGED\nforged.test MX 10 mx.forged.test";
    let net = listen(zone, "");
    assert_eq!(ask(&net, "broken.test", RecordType::Mx), [(2, 0)]);
    assert_eq!(ask(&net, "rude.test", RecordType::Mx), [(5, 0)]);
    assert_eq!(ask(&net, "mute.test", RecordType::Mx), []);
    assert_eq!(ask(&net, "cut.test", RecordType::Mx), [(0, 0)]);
    assert_eq!(ask(&net, "forged.test", RecordType::Mx).len(), 4, "three forgeries, and the truth");
}

#[test]
fn large_answers_go_over_tcp() {
    let net = listen("$GENERATE 1-500 a.test MX $ mx$.a.test", "");
    assert_eq!(ask(&net, "a.test", RecordType::Mx), [(0, 0)]);
    let question = question("a.test", RecordType::Mx);
    let mut stream = TcpStream::connect(net.dns()).unwrap();
    stream.write_all(&u16::try_from(question.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&question).unwrap();
    let mut head = [0; 10];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(u16::from_be_bytes([head[8], head[9]]), 500);
}

#[test]
fn environment_points_here() {
    let net = listen("", "");
    let environment = net.environment();
    let servers = environment.iter().find(|(name, _)| name == "MAILSONDE_DNS__SERVERS").unwrap();
    assert_eq!(servers.1, format!("[\"{}\"]", net.dns()));
}
