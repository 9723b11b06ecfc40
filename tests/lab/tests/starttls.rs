//! STARTTLS and the ways in which it goes wrong.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod client;

use std::sync::Arc;

use client::{Client, server};
use mailsonde_lab::{Cable, Internet};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::ring,
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};

/// Takes any certificate, as mail clients do.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A connection on which STARTTLS was answered with exactly `expected`.
async fn ready(internet: &Internet, expected: &str) -> Cable {
    let mut cable = internet.dial(internet.address("mx.a.test").unwrap()).await.unwrap();
    let mut heard = vec![0; "220 mx.a.test ESMTP\r\n".len()];
    cable.read_exact(&mut heard).await.unwrap();
    cable.write_all(b"STARTTLS\r\n").await.unwrap();
    let mut heard = vec![0; expected.len()];
    cable.read_exact(&mut heard).await.unwrap();
    assert_eq!(String::from_utf8(heard).unwrap(), expected);
    cable
}

async fn handshake(cable: Cable) -> std::io::Result<TlsStream<Cable>> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config)).connect("mx.a.test".try_into().unwrap(), cable).await
}

const READY: &str = "220 2.0.0 Ready to start TLS\r\n";

#[tokio::test(start_paused = true)]
async fn everything_begins_anew() {
    for kind in ["offered", "required", "bad_certificate"] {
        let internet = server(&format!("ehlo.starttls = '{kind}'"));
        let mut client = Client::over(handshake(ready(&internet, READY).await).await.unwrap());
        assert!(client.say("MAIL FROM:<probe@lab.test>").await.starts_with("503"), "EHLO is due again");
        assert!(!client.say("EHLO probe.lab.test").await.contains("STARTTLS"));
        client.say("MAIL FROM:<probe@lab.test>").await;
        assert!(client.rcpt("jane@a.test").await.starts_with("250"));
        assert_eq!(internet.counts().total.handshakes, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn some_demand_it() {
    let internet = server("ehlo.starttls = 'required'");
    let mut client = Client::connect(&internet).await;
    client.reply().await;
    assert!(client.say("EHLO probe.lab.test").await.contains("STARTTLS"));
    assert!(client.say("MAIL FROM:<probe@lab.test>").await.starts_with("530 5.7.0"));
}

#[tokio::test(start_paused = true)]
async fn some_fail() {
    let internet = server("ehlo.starttls = 'fails'");
    assert!(handshake(ready(&internet, READY).await).await.is_err());
    assert_eq!(internet.counts().total.handshakes, 0);
}

#[tokio::test(start_paused = true)]
async fn some_inject_replies() {
    let internet = server("ehlo.starttls = 'injects'");
    let injected = format!("{READY}250-mx.injected.test\r\n250 PIPELINING\r\n");
    let mut client = Client::over(handshake(ready(&internet, &injected).await).await.unwrap());
    assert!(client.say("EHLO probe.lab.test").await.starts_with("250-mx.a.test"));
}

#[tokio::test(start_paused = true)]
async fn some_know_nothing_of_it() {
    let mut client = Client::connect(&server("")).await;
    client.reply().await;
    assert!(client.say("STARTTLS").await.starts_with("503"));
}
