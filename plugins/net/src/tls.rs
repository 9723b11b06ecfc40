//! TLS for a session, after STARTTLS (RFC 3207): version 1.2 or 1.3, the handshake and nothing else. When it is taken
//! up, and what a failure means, is the session's business. No client certificates, no DANE, no MTA-STS.

use std::{
    io,
    net::Ipv4Addr,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Serialize};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};
use webpki_roots::TLS_SERVER_ROOTS;

use crate::dialer::Stream;

/// Whose certificates will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certificates {
    /// Anybody's: encryption without authentication (RFC 7435). A probe carries no mail, and many mail hosts'
    /// certificates are self-signed or name another host.
    #[default]
    Any,
    /// Those that name the host and lead to an authority that browsers trust.
    Valid,
}

/// Takes up TLS. One per process: it remembers sessions, which makes the next handshake with a host shorter.
#[derive(Debug)]
pub(crate) struct Tls {
    certificates: Certificates,
    /// Made at the first handshake: most runs need none.
    client: OnceLock<Result<Arc<ClientConfig>, rustls::Error>>,
}

impl Tls {
    pub(crate) fn new(certificates: Certificates) -> Self {
        Self { certificates, client: OnceLock::new() }
    }

    /// Speaks TLS with `host` over `stream` from here on. The caller bounds the time.
    ///
    /// # Errors
    /// `InvalidData` when the handshake fails, or the certificate will not do; other kinds when the connection breaks.
    pub(crate) async fn upgrade(&self, stream: Stream, host: &str) -> io::Result<Stream> {
        let client =
            self.client.get_or_init(|| client(self.certificates)).clone().map_err(io::Error::other)?;
        let secured = TlsConnector::from(client).connect(self.server_name(host)?, stream).await?;
        Ok(Box::new(secured))
    }

    /// The name to ask for and to check.
    fn server_name(&self, host: &str) -> io::Result<ServerName<'static>> {
        match (ServerName::try_from(host.to_owned()), self.certificates) {
            (Ok(name), _) => Ok(name),
            // Nothing is compared with it, and an address is not sent as a name.
            (Err(_), Certificates::Any) => Ok(Ipv4Addr::UNSPECIFIED.into()),
            (Err(error), Certificates::Valid) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
}

fn client(certificates: Certificates) -> Result<Arc<ClientConfig>, rustls::Error> {
    let crypto = Arc::new(ring::default_provider());
    let signatures = crypto.signature_verification_algorithms;
    let client = ClientConfig::builder_with_provider(crypto).with_safe_default_protocol_versions()?;
    let client = match certificates {
        Certificates::Any => {
            client.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(signatures)))
        }
        Certificates::Valid => {
            let roots: RootCertStore = TLS_SERVER_ROOTS.iter().cloned().collect();
            client.with_root_certificates(roots)
        }
    };
    Ok(Arc::new(client.with_no_client_auth()))
}

/// Takes every certificate, but wants to see that the host has its key.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
