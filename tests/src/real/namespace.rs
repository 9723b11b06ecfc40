//! A view of the machine of a server's own: files of `/etc` that only it sees, in a mount namespace (`unshare(1)`).
//!
//! Postfix and Exim ask the name servers of `/etc/resolv.conf`, always on port 53, and no setting tells them
//! otherwise; Exim and OpenSMTPD want users that only their packages create. Here they find both, the machine stays
//! as it is, and no name of the lab reaches anybody's name server. The network is not separated.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};

use super::daemon::{Daemon, Folder};

/// `$0` is the server's folder, `$1` its script, which gets the other arguments.
const ENTER: &str = r#"
for file in "$0"/etc/*; do
    mount --bind "$file" "/etc/${file##*/}" || exit
done
script=$1
shift
exec sh -euc "$script" "$0" "$@"
"#;

/// Numbers for the users, which only have to be none of the machine's.
const FIRST_USER_ID: u32 = 64_990;

/// Starts `script`, whose `$0` is the folder and whose arguments are `args`, with these users added to the
/// machine's, and with `name_server`, at port 53, as the only source of names. It needs root.
pub fn start<A: AsRef<OsStr>>(
    folder: &Folder,
    name_server: Ipv4Addr,
    users: &[&str],
    script: &str,
    args: &[A],
) -> Result<Daemon> {
    fs::create_dir(folder.path().join("etc"))?;
    folder.write("etc/resolv.conf", &format!("nameserver {name_server}\n"))?;
    folder.write("etc/hosts", "")?;
    folder.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")?;
    add_users(folder, users)?;
    let mut all = ["--mount", "sh", "-c", ENTER].map(OsStr::new).to_vec();
    all.extend([folder.path().as_os_str(), script.as_ref()]);
    all.extend(args.iter().map(AsRef::as_ref));
    Daemon::start(folder, "unshare", &all)
}

fn add_users(folder: &Folder, users: &[&str]) -> Result<()> {
    let read = |path| fs::read_to_string(path).with_context(|| format!("reading {path}"));
    let (mut passwd, mut group) = (read("/etc/passwd")?, read("/etc/group")?);
    for (id, user) in (FIRST_USER_ID..).zip(users) {
        let is_there = |table: &str| table.lines().any(|line| line.starts_with(&format!("{user}:")));
        if !is_there(&passwd) {
            let _ = writeln!(passwd, "{user}:x:{id}:{id}::/nonexistent:/usr/sbin/nologin");
        }
        if !is_there(&group) {
            let _ = writeln!(group, "{user}:x:{id}:");
        }
    }
    folder.write("etc/passwd", &passwd)?;
    folder.write("etc/group", &group)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::daemon::wait_until;
    use super::*;
    use std::time::Duration;

    #[test]
    fn files_of_etc_are_the_servers_own() {
        let before = fs::read_to_string("/etc/resolv.conf").unwrap();
        let folder = Folder::create("namespace").unwrap();
        let script = r#"id -u "$1" >"$0/user"; cp /etc/resolv.conf "$0/seen"; exec sleep 60"#;
        let daemon =
            start(&folder, Ipv4Addr::new(127, 0, 0, 9), &["lab-user"], script, &["lab-user"]).unwrap();
        let read = |name| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        assert!(wait_until(Duration::from_secs(10), || !read("seen").is_empty()), "{}", read("output"));
        assert_eq!(read("seen"), "nameserver 127.0.0.9\n");
        assert_eq!(read("user").trim(), FIRST_USER_ID.to_string());
        assert_eq!(fs::read_to_string("/etc/resolv.conf").unwrap(), before);
        drop(daemon);
    }
}
