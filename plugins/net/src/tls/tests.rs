//! Handshakes over a connection in memory.

use rcgen::{CertificateParams, CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig, SupportedProtocolVersion,
        pki_types::PrivateKeyDer,
        version::{TLS12, TLS13},
    },
};

use super::*;

const HOST: &str = "mx.example.org";

/// A host with a certificate of its own for `name`.
fn certified(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([name.to_owned()]).unwrap()
}

fn acceptor(own: &CertifiedKey<KeyPair>, versions: &[&'static SupportedProtocolVersion]) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    Arc::new(config).into()
}

/// Answers `EHLO` over TLS, if the client comes that far. The name that it asked for.
async fn serve(stream: DuplexStream, acceptor: TlsAcceptor) -> Option<String> {
    let mut secured = acceptor.accept(stream).await.ok()?;
    let mut line = [0; 6];
    secured.read_exact(&mut line).await.ok()?;
    assert_eq!(&line, b"EHLO\r\n");
    secured.write_all(b"250 Ok\r\n").await.ok()?;
    secured.shutdown().await.ok()?;
    Some(secured.get_ref().1.server_name().unwrap_or_default().to_owned())
}

async fn talk(tls: &Tls, host: &str, acceptor: TlsAcceptor) -> io::Result<(String, String)> {
    let (ours, theirs) = duplex(4_096);
    let served = tokio::spawn(serve(theirs, acceptor));
    let mut stream = tls.upgrade(Box::new(ours), host).await?;
    stream.write_all(b"EHLO\r\n").await?;
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await?;
    Ok((heard, served.await.unwrap().unwrap()))
}

/// Trusts whom that certificate belongs to.
fn trusts(own: &CertifiedKey<KeyPair>) -> Tls {
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Tls { certificates: Certificates::Valid, client: OnceLock::from(Ok(Arc::new(client))) }
}

#[tokio::test]
async fn any_certificate_will_do_for_encryption() {
    let tls = Tls::new(Certificates::Any);
    for version in [&TLS12, &TLS13] {
        let own = certified("somebody.else.example");
        let (heard, name) = talk(&tls, HOST, acceptor(&own, &[version])).await.unwrap();
        assert_eq!((heard.as_str(), name.as_str()), ("250 Ok\r\n", HOST));
    }
}

#[tokio::test]
async fn an_expired_certificate_is_one_of_any() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let own = CertifiedKey { cert: params.self_signed(&key).unwrap(), signing_key: key };
    assert!(talk(&Tls::new(Certificates::Any), HOST, acceptor(&own, &[&TLS13])).await.is_ok());
    let error = talk(&trusts(&own), HOST, acceptor(&own, &[&TLS13])).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn valid_refuses_what_nobody_vouches_for() {
    let own = certified(HOST);
    let error = talk(&Tls::new(Certificates::Valid), HOST, acceptor(&own, &[&TLS13])).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn valid_wants_the_name_of_the_host() {
    let own = certified(HOST);
    let tls = trusts(&own);
    for version in [&TLS12, &TLS13] {
        assert!(talk(&tls, HOST, acceptor(&own, &[version])).await.is_ok());
        let error = talk(&tls, "mx.example.net", acceptor(&own, &[version])).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

#[tokio::test]
async fn a_host_whose_name_is_none_is_not_asked_by_name() {
    let own = certified(HOST);
    let (_, name) = talk(&Tls::new(Certificates::Any), "mx_.-", acceptor(&own, &[&TLS13])).await.unwrap();
    assert_eq!(name, "");
    let error = talk(&Tls::new(Certificates::Valid), "mx_.-", acceptor(&own, &[&TLS13])).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn the_key_must_belong_to_the_certificate() {
    let (own, other) = (certified(HOST), certified(HOST));
    for version in [&TLS12, &TLS13] {
        let signer = ring::sign::any_supported_type(
            &PrivateKeyDer::try_from(other.signing_key.serialize_der()).unwrap(),
        )
        .unwrap();
        let stolen = rustls::sign::CertifiedKey::new(vec![own.cert.der().clone()], signer);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(stolen)));
        let error = talk(&Tls::new(Certificates::Any), HOST, Arc::new(config).into()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

#[tokio::test]
async fn garbage_in_place_of_a_handshake_is_an_error() {
    let tls = Tls::new(Certificates::Any);
    for garbage in [
        "454 4.7.0 TLS not available\r\n".as_bytes(),
        &[0; 5],
        &[0xff; 10_000],
        b"\x15\x03\x01\x00\x02\x02\x28",
    ] {
        let (ours, mut theirs) = duplex(64 * 1_024);
        theirs.write_all(garbage).await.unwrap();
        let error = tls.upgrade(Box::new(ours), HOST).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

#[tokio::test]
async fn a_host_that_hangs_up_is_told_from_one_that_fails() {
    let (ours, theirs) = duplex(4_096);
    drop(theirs);
    let error = Tls::new(Certificates::Any).upgrade(Box::new(ours), HOST).await.err().unwrap();
    assert_ne!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn is_a_lower_case_word_in_a_configuration() {
    let read = |text| toml::from_str::<std::collections::BTreeMap<String, Certificates>>(text).unwrap()["c"];
    assert_eq!((read("c = \"any\""), read("c = \"valid\"")), (Certificates::Any, Certificates::Valid));
}
