//! TLS to others, the database and receivers of webhooks: the certificate is always checked, against the authorities that
//! browsers trust or those of a file.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// What a client of others needs. `ca_file`: PEM; empty for the authorities that browsers trust. `table`: of the
/// configuration, where the file is named.
///
/// # Errors
/// A file that cannot be read, or holds no certificate.
pub(crate) fn client(table: &str, ca_file: &Path) -> Result<ClientConfig> {
    let roots = if ca_file.as_os_str().is_empty() {
        RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
    } else {
        from_file(ca_file).with_context(|| format!("[{table}] ca_file {}", ca_file.display()))?
    };
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn from_file(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path)? {
        roots.add(certificate?)?;
    }
    ensure!(!roots.is_empty(), "there is no certificate in it");
    Ok(roots)
}
