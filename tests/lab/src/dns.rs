//! The name server: one zone, over UDP and TCP, with its faults.

mod message;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
    time::sleep,
};

use crate::{
    internet::Internet,
    zone::{Answer, Fault},
};
use message::{Query, forgeries};

/// More than any question takes, and any answer over UDP that does not get lost.
const PACKET_MAX: usize = 4096;

/// What a message over TCP may hold (RFC 1035, 4.2.2).
const MESSAGE_MAX: usize = 65_535;

/// Both doors of the server, to be served.
#[derive(Debug)]
pub(crate) struct Doors {
    udp: Arc<UdpSocket>,
    tcp: TcpListener,
    /// Where forged answers come from.
    elsewhere: UdpSocket,
}

impl Doors {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            udp: Arc::new(UdpSocket::bind(address).await?),
            tcp: TcpListener::bind(address).await?,
            elsewhere: UdpSocket::bind((address.ip(), 0)).await?,
        })
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self, internet: Arc<Internet>) {
        let elsewhere = Arc::new(self.elsewhere);
        tokio::join!(by_udp(self.udp, elsewhere, internet.clone()), by_tcp(self.tcp, internet));
    }
}

async fn by_udp(udp: Arc<UdpSocket>, elsewhere: Arc<UdpSocket>, internet: Arc<Internet>) {
    let mut packet = [0; PACKET_MAX];
    let mut answers = JoinSet::new();
    loop {
        // An error is about an earlier answer that nobody wanted any more.
        let Ok((octets, from)) = udp.recv_from(&mut packet).await else { continue };
        let Some(query) = Query::read(&packet[..octets]) else { continue };
        let (udp, elsewhere, internet) = (udp.clone(), elsewhere.clone(), internet.clone());
        answers.spawn(async move {
            let (answer, fault) = ask(&internet, &query).await;
            if fault == Some(Fault::Forged) {
                for (forgery, by_elsewhere) in forgeries(&query) {
                    let socket = if by_elsewhere { &elsewhere } else { &udp };
                    let _ = socket.send_to(&forgery, from).await; // lost packets are part of the game
                }
            }
            let reply = match fault {
                Some(Fault::Truncated) => Some(query.truncated()),
                Some(Fault::Forged) => query.reply_with_strangers(&answer),
                _ => query.reply(&answer, query.udp_max()),
            };
            if let Some(reply) = reply {
                let _ = udp.send_to(&reply, from).await;
            }
        });
        while answers.try_join_next().is_some() {}
    }
}

async fn by_tcp(tcp: TcpListener, internet: Arc<Internet>) {
    let mut clients = JoinSet::new();
    loop {
        if let Ok((stream, _)) = tcp.accept().await {
            let internet = internet.clone();
            clients.spawn(async move {
                // A client that leaves is no concern of ours.
                let _ = serve_client(stream, &internet).await;
            });
        }
        while clients.try_join_next().is_some() {}
    }
}

async fn serve_client(mut stream: TcpStream, internet: &Internet) -> Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut message = vec![0; length.into()];
        stream.read_exact(&mut message).await?;
        let Some(query) = Query::read(&message) else { return Ok(()) };
        let (answer, _) = ask(internet, &query).await;
        let Some(reply) = query.reply(&answer, MESSAGE_MAX) else { return Ok(()) };
        stream.write_u16(u16::try_from(reply.len())?).await?;
        stream.write_all(&reply).await?;
    }
}

/// Counts the question and looks it up.
async fn ask(internet: &Internet, query: &Query) -> (Answer, Option<Fault>) {
    let fault = internet.zone().fault(query.name(), query.record_type());
    sleep(internet.rtt()).await;
    (internet.answer(query.name(), query.record_type()), fault)
}
