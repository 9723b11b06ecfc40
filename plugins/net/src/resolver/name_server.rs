//! A name server for tests: UDP and TCP on one port of 127.0.0.1, answers by a closure, every query counted.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{
        Name, RData, Record,
        rdata::{CNAME, SOA},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
};

/// What the script sees of a query.
pub(super) struct Asked {
    pub(super) query: Message,
    /// Lower case, with the final dot.
    pub(super) name: String,
    pub(super) is_tcp: bool,
}

impl Asked {
    /// A response without records.
    pub(super) fn says(&self, code: ResponseCode) -> Message {
        let mut response = Message::response(self.query.id, self.query.op_code);
        response.queries.clone_from(&self.query.queries);
        response.metadata.recursion_desired = true;
        response.metadata.recursion_available = true;
        response.metadata.response_code = code;
        response
    }

    /// A response with these records under the name that was asked.
    pub(super) fn finds(&self, ttl_seconds: u32, data: impl IntoIterator<Item = RData>) -> Message {
        let mut response = self.says(ResponseCode::NoError);
        let name = self.query.queries[0].name();
        response.answers =
            data.into_iter().map(|data| Record::from_rdata(name.clone(), ttl_seconds, data)).collect();
        response
    }
}

pub(super) fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

pub(super) fn alias(from: &str, to: &str) -> Record {
    Record::from_rdata(name(from), 60, RData::CNAME(CNAME(name(to))))
}

pub(super) fn soa(zone: &str, minimum: u32) -> Record {
    let soa = SOA::new(name("ns.test."), name("admin.test."), 1, 3600, 600, 86_400, minimum);
    Record::from_rdata(name(zone), 3600, RData::SOA(soa))
}

/// Each message goes out as it is; none at all is silence.
type Script = dyn Fn(&Asked) -> Vec<Message> + Send + Sync;

/// A running server. It ends when it is dropped.
pub(super) struct NameServer {
    pub(super) address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl NameServer {
    pub(super) async fn start(script: impl Fn(&Asked) -> Vec<Message> + Send + Sync + 'static) -> Self {
        let (udp, tcp) = sockets().await;
        let address = udp.local_addr().unwrap();
        let script: Arc<Script> = Arc::new(script);
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, script.clone(), log.clone()));
        tasks.spawn(serve_tcp(tcp, script, log.clone()));
        Self { address, log, _tasks: tasks }
    }

    /// `example.test. MX udp`, in the order of arrival.
    pub(super) fn queries(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

/// Both sockets on one port that nobody else has.
async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

fn answer(octets: &[u8], is_tcp: bool, script: &Script, log: &Mutex<Vec<String>>) -> Vec<Vec<u8>> {
    let query = Message::from_vec(octets).unwrap();
    let question = query.queries.first().unwrap();
    let name = question.name().to_lowercase().to_ascii();
    let transport = if is_tcp { "tcp" } else { "udp" };
    log.lock().unwrap().push(format!("{name} {} {transport}", question.query_type()));
    let asked = Asked { query, name, is_tcp };
    script(&asked).iter().map(|message| message.to_vec().unwrap()).collect()
}

async fn serve_udp(socket: UdpSocket, script: Arc<Script>, log: Arc<Mutex<Vec<String>>>) {
    let mut buffer = [0; 4096];
    loop {
        let (octets, from) = socket.recv_from(&mut buffer).await.unwrap();
        for message in answer(&buffer[..octets], false, &*script, &log) {
            socket.send_to(&message, from).await.unwrap();
        }
    }
}

async fn serve_tcp(listener: TcpListener, script: Arc<Script>, log: Arc<Mutex<Vec<String>>>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(serve_connection(stream, script.clone(), log.clone()));
    }
}

/// Ends with the connection.
async fn serve_connection(mut stream: TcpStream, script: Arc<Script>, log: Arc<Mutex<Vec<String>>>) {
    while let Ok(octets) = stream.read_u16().await {
        let mut query = vec![0; octets.into()];
        stream.read_exact(&mut query).await.unwrap();
        for message in answer(&query, true, &*script, &log) {
            stream.write_u16(message.len().try_into().unwrap()).await.unwrap();
            stream.write_all(&message).await.unwrap();
        }
    }
}
