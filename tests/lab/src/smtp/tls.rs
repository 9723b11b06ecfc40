//! Encryption (RFC 3207): certificates that the servers sign themselves.

use std::sync::{Arc, OnceLock};

use anyhow::Result;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::wire::Stream;
use crate::host::StartTls;

/// Who a server says it is. Made when it is first asked for: keys take time.
#[derive(Debug)]
pub(super) struct Identity {
    name: String,
    is_bad: bool,
    config: OnceLock<Option<Arc<ServerConfig>>>,
}

impl Identity {
    pub(super) fn new(name: &str, starttls: StartTls) -> Self {
        Self { name: name.to_owned(), is_bad: starttls == StartTls::BadCertificate, config: OnceLock::new() }
    }

    /// Encrypts a connection; `None` when the client breaks it off.
    pub(super) async fn encrypt(&self, stream: Box<dyn Stream>) -> Option<Box<dyn Stream>> {
        let config = self.config.get_or_init(|| self.make().ok()).clone()?;
        let encrypted = TlsAcceptor::from(config).accept(stream).await.ok()?;
        Some(Box::new(encrypted))
    }

    fn make(&self) -> Result<Arc<ServerConfig>> {
        let name = if self.is_bad { "some-other-host.test" } else { &self.name };
        let mut params = CertificateParams::new([name.to_owned()])?;
        if self.is_bad {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )?;
        Ok(Arc::new(config))
    }
}
