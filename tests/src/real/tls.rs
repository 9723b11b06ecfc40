//! A certificate as mail servers have it: self-signed, for a name of no authority. Nobody checks those of port 25.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::daemon::Folder;

/// Makes a key and a certificate for `host`, both in one file of `folder`, the key first.
pub fn self_signed(folder: &Folder, host: &str) -> Result<PathBuf> {
    let path = folder.path().join("certificate.pem");
    let output = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        .args([
            "-days",
            "2",
            "-subj",
            &format!("/CN={host}"),
            "-addext",
            &format!("subjectAltName=DNS:{host}"),
            // Else those who check would take it for an authority's own, and for nothing else.
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .arg("-keyout")
        .arg(&path)
        .arg("-out")
        .arg(&path)
        .output()
        .context("openssl")?;
    ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn file_holds_the_key_and_then_the_certificate() {
        let folder = Folder::create("certificate").unwrap();
        let pem = fs::read_to_string(self_signed(&folder, "mail.lab.test").unwrap()).unwrap();
        let (key, certificate) = (pem.find("BEGIN PRIVATE KEY"), pem.find("BEGIN CERTIFICATE"));
        assert!(key.is_some() && key < certificate, "{pem}");
        fs::remove_dir_all(folder.path()).unwrap();
    }
}
