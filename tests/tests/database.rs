//! The way to the database: encrypted where the URL asks for that, and refused where the other side is not who it says, or
//! has the store of somebody else.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use anyhow::{Result, ensure};
use mailsonde_tests::{
    mailsonde::{Mailsonde, Run},
    real::{daemon::Folder, postgres::Postgres, tls::self_signed},
};

/// The name in the server's certificate.
const HOST: &str = "db.lab.test";

/// Who Postgres is when the tests are root.
const NOBODY: &str = "65534:65534";

fn migrate(folder: &Path, url: &str, ca_file: &Path) -> Result<Run> {
    let ca_file = ca_file.to_string_lossy();
    Mailsonde::new(&["migrate"])
        .env([
            ("MAILSONDE_DATA__DIR", &*folder.join("data").to_string_lossy()),
            ("MAILSONDE_DATABASE__URL", url),
            ("MAILSONDE_DATABASE__CA_FILE", &*ca_file),
        ])
        .run()
}

/// A certificate whose key Postgres accepts: nobody else may read it.
fn certificate(folder: &Folder) -> Result<std::path::PathBuf> {
    let path = self_signed(folder, HOST)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    if is_root() {
        let status = Command::new("chown").arg(NOBODY).arg(&path).status()?;
        ensure!(status.success(), "chown: {status}");
    }
    Ok(path)
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[test]
fn tls_is_taken_up_and_the_server_is_checked() {
    let folder = Folder::create("database").unwrap();
    let path = certificate(&folder).unwrap();
    let pem = path.to_string_lossy();
    let settings =
        [("ssl", "on"), ("ssl_cert_file", &*pem), ("ssl_key_file", &*pem), ("log_connections", "on")];
    let postgres = Postgres::start(&settings).unwrap();
    let plain = postgres.url();
    let address = plain.rsplit_once('@').unwrap().1.split_once(':').unwrap().0.to_owned();
    let named = plain.replace(&address, HOST) + "?sslmode=require&hostaddr=" + &address;

    let refused = migrate(folder.path(), &named, Path::new("")).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("certificate"), "{}", refused.stderr);

    // Another name than the certificate's.
    let refused = migrate(folder.path(), &(plain + "?sslmode=require"), &path).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);

    let taken = migrate(folder.path(), &named, &path).unwrap();
    assert!(taken.status.success(), "{}", taken.stderr);
    assert_eq!(postgres.query("select count(*) > 0 from migration").unwrap().trim(), "t");
    fs::remove_dir_all(folder.path()).unwrap();
}

#[test]
fn a_store_of_other_keys_is_refused_with_the_place_of_ours() {
    let postgres = Postgres::start(&[]).unwrap();
    let [first, other] = ["first", "other"].map(|name| Folder::create(name).unwrap());
    let made = migrate(first.path(), &postgres.url(), Path::new("")).unwrap();
    assert!(made.status.success(), "{}", made.stderr);
    let refused = migrate(other.path(), &postgres.url(), Path::new("")).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    let keys = other.path().join("data/keys");
    let expected =
        format!("the keys of {} do not open the store: it was written with the key ", keys.display());
    assert!(refused.stderr.contains(&expected), "{}", refused.stderr);
}
