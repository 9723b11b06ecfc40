//! Postgres, on an address of its own and on a Unix socket, that tests may stop, kill and start again. What is in it
//! they ask by `psql` and `pg_dump`, of the same installation.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::daemon::{Daemon, Folder, wait_until};
use super::places::Places;
use super::postfix::is_root;

/// The oldest version that mailsonde uses.
const VERSION_MIN: u32 = 15;

/// Where Debian puts the programs, a folder for each version.
const INSTALLED: &str = "/usr/lib/postgresql";

/// The role, which may do everything, and its database.
const NAME: &str = "mailsonde";

/// Postgres refuses to be root: then it is `nobody`, whom every system has.
const NOBODY: [&str; 5] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];

/// What is killed is gone within milliseconds.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// `$0` is the folder, `$1` that of the programs, `$2` the size of the small disk, where there is one: it exists for the
/// server alone, and for as long as that. The rest is how to become the user. The data need not outlive a power cut. Then each line that is written into the pipe starts the server, once the last one has been stopped or killed;
/// one that fails is the end.
const START: &str = r#"
programs=$1
size=$2
shift 2
mkdir "$0/socket" "$0/data" "$0/small"
if [ -n "$size" ]; then
    mount -t tmpfs -o "size=$size" tmpfs "$0/small"
fi
if [ $# != 0 ]; then
    chown 65534:65534 "$0/socket" "$0/data" "$0/small"
fi
cd /
"$@" "$programs/initdb" --username=mailsonde --encoding=UTF8 --locale=C --no-sync "$0/data"
echo "include '../settings.conf'" >>"$0/data/postgresql.conf"
cp "$0/access.conf" "$0/data/pg_hba.conf"
touch "$0/made"
while read -r _ <"$0/start"; do
    "$@" "$programs/postgres" -D "$0/data" || [ $? = 137 ]
done
"#;

/// Whom trust is given: tests of the same machine.
const ACCESS: &str = "local all all trust\nhost all all 127.0.0.0/8 trust\n";

/// A Postgres of the test's own. It ends with the value, and so do its data.
#[derive(Debug)]
pub struct Postgres {
    daemon: Daemon,
    path: PathBuf,
    programs: PathBuf,
    address: SocketAddr,
}

impl Postgres {
    /// Starts one with an empty database, and waits until it serves. `settings` are added to the defaults of Postgres,
    /// among which is that what is committed is on the disk.
    pub fn start(settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_on(None, settings)
    }

    /// The same, but tables and indexes that are made in it lie on a disk of this size, such as `16m`, which gets full. The
    /// rest, such as the log of what was written, has room. Needs root.
    pub fn start_on_small_disk(size: &str) -> Result<Self> {
        let postgres = Self::start_on(Some(size), &[])?;
        let small = postgres.path.join("small").to_string_lossy().into_owned();
        postgres.query(&format!("create tablespace small location '{small}'"))?;
        postgres.query(&format!("alter role {NAME} set default_tablespace = small"))?;
        Ok(postgres)
    }

    fn start_on(small_disk: Option<&str>, settings: &[(&str, &str)]) -> Result<Self> {
        let mut places = Places::new()?;
        let address = SocketAddr::new(places.add("postgres")?.into(), places.port());
        let programs = programs(Path::new(INSTALLED))?;
        let folder = Folder::create("postgres")?;
        let path = folder.path().to_owned();
        folder.write("settings.conf", &settings_of(&path, address, settings))?;
        folder.write("access.conf", ACCESS)?;
        // A disk of its own needs a view of the machine of its own.
        let (program, enter) = match small_disk {
            Some(_) => ("unshare", &["--mount", "sh"][..]),
            None => ("sh", &[][..]),
        };
        let mut args: Vec<OsString> = enter.iter().chain(&["-euc", START]).map(Into::into).collect();
        args.extend([path.clone().into(), programs.clone().into(), small_disk.unwrap_or_default().into()]);
        if is_root() {
            args.extend(NOBODY.map(Into::into));
        }
        output_of(Command::new("mkfifo").arg(path.join("start")))?;
        let daemon = Daemon::start(&folder, program, &args)?;
        let postgres = Self { daemon, path, programs, address };
        postgres.daemon.wait_until_ready(|| postgres.path.join("made").exists()).context("initdb")?;
        postgres.start_again()?;
        postgres.ask("postgres", &format!("create database {NAME}"))?;
        Ok(postgres)
    }

    /// The database, by TCP. It stays the same when the server is started again.
    pub fn url(&self) -> String {
        format!("postgres://{NAME}@{}/{NAME}", self.address)
    }

    /// The database, by the Unix socket.
    pub fn socket_url(&self) -> String {
        let folder = self.socket().to_string_lossy().replace('/', "%2F");
        format!("postgres://{NAME}@{folder}:{}/{NAME}", self.address.port())
    }

    fn socket(&self) -> PathBuf {
        self.path.join("socket")
    }

    /// Stops the server: connections end, and everything is written.
    pub fn stop(&self) -> Result<()> {
        self.pg_ctl_stop("fast")
    }

    /// Starts the server that was stopped or killed, and waits until it serves.
    pub fn start_again(&self) -> Result<()> {
        // Nobody takes the line until the last server has ended.
        let mut line = Command::new("timeout");
        line.arg(GONE_WITHIN.as_secs().to_string()).args(["sh", "-c", r#"echo >"$0""#]);
        let status = line.arg(self.path.join("start")).status()?;
        ensure!(status.success(), "the last server has not ended: stop it first");
        self.daemon.wait_until_ready(|| self.is_ready()).context("Postgres")
    }

    /// Stops the server and starts it again.
    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        self.start_again()
    }

    /// Kills the server with all its processes, as a power cut would, and waits until they are gone.
    pub fn kill(&self) -> Result<()> {
        let all = self.signal("KILL")?;
        let is_gone = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().is_empty();
        ensure!(wait_until(GONE_WITHIN, || all.iter().all(is_gone)), "Postgres survives");
        Ok(())
    }

    /// Stops all its processes where they are, as a disk does that answers no more: whoever is connected stays so, and hears
    /// nothing.
    pub fn freeze(&self) -> Result<()> {
        self.signal("STOP")?;
        Ok(())
    }

    /// Lets them go on.
    pub fn thaw(&self) -> Result<()> {
        self.signal("CONT")?;
        Ok(())
    }

    /// Sends it to all its processes, and returns their numbers.
    fn signal(&self, name: &str) -> Result<Vec<u32>> {
        let file =
            fs::read_to_string(self.path.join("data/postmaster.pid")).context("Postgres does not run")?;
        let first: u32 = file.lines().next().unwrap_or_default().trim().parse()?;
        let mut all = children(first);
        all.insert(0, first); // else it would begin anew with other ones
        // Complains of those that have ended by themselves meanwhile.
        Command::new("kill").args(["-s", name]).args(all.iter().map(u32::to_string)).output()?;
        Ok(all)
    }

    /// What SQL returns: a line for each row, `|` between columns.
    pub fn query(&self, sql: &str) -> Result<String> {
        self.ask(NAME, sql)
    }

    fn ask(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = self.client("psql", database);
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]);
        output_of(psql.args(["--command", sql]))
    }

    /// The whole database as text. Octets that are printable stand there as they are, so what is kept in clear text
    /// is found in it, whatever its column's type.
    pub fn dump(&self) -> Result<String> {
        output_of(self.client("pg_dump", NAME).env("PGOPTIONS", "-c bytea_output=escape"))
    }

    fn is_ready(&self) -> bool {
        self.ask("postgres", "select 1").is_ok()
    }

    fn client(&self, program: &str, database: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.arg("--host").arg(self.socket()).args(["--port", &self.address.port().to_string()]);
        command.args(["--username", NAME, "--dbname", database]);
        command
    }

    fn pg_ctl_stop(&self, mode: &str) -> Result<()> {
        let mut pg_ctl = as_user(&self.programs.join("pg_ctl"));
        pg_ctl.args(["stop", "--silent", "--wait", "--mode", mode, "--pgdata"]).arg(self.path.join("data"));
        output_of(&mut pg_ctl)?;
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // With its processes, which are in sessions of their own. One that was stopped already needs none of it.
        let _ = self.thaw();
        let _ = self.pg_ctl_stop("immediate");
    }
}

fn settings_of(folder: &Path, address: SocketAddr, others: &[(&str, &str)]) -> String {
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let socket = folder.join("socket").to_string_lossy().into_owned();
    let own = [("listen_addresses", &*ip), ("port", &*port), ("unix_socket_directories", &*socket)];
    let line = |(name, value): &(&str, &str)| format!("{name} = '{}'\n", value.replace('\'', "''"));
    own.iter().chain(others).map(line).collect()
}

/// The programs of the newest version.
fn programs(installed: &Path) -> Result<PathBuf> {
    let versions = fs::read_dir(installed).into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|version| installed.join(format!("{version}/bin/postgres")).is_file())
        .max();
    match newest {
        Some(version) if version >= VERSION_MIN => Ok(installed.join(format!("{version}/bin"))),
        _ => bail!(
            "Postgres {VERSION_MIN} or newer is not in {}: tests/setup installs it",
            installed.display()
        ),
    }
}

/// A program that must not be run by root.
fn as_user(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut setpriv = Command::new(NOBODY[0]);
        setpriv.args(&NOBODY[1..]).arg(program);
        setpriv
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

fn output_of(command: &mut Command) -> Result<String> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command.output().with_context(|| program.clone())?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// The processes that `parent` has started.
fn children(parent: u32) -> Vec<u32> {
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After the name, which may hold anything: the state, and the parent.
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(&parent.to_string())
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|process| process.file_name().to_str()?.parse().ok()).filter(is_child).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_survives_a_stop_and_a_kill() {
        let postgres = Postgres::start(&[("max_connections", "17")]).unwrap();
        let (url, path) = (postgres.url(), postgres.path.clone());
        assert_eq!(postgres.query("show max_connections; show fsync").unwrap(), "17\non");
        postgres.query("create table kept (word text, octets bytea)").unwrap();
        postgres.query("insert into kept values ('by stop', 'in octets')").unwrap();
        postgres.restart().unwrap();
        postgres.query("insert into kept values ('by kill', null)").unwrap();
        postgres.kill().unwrap();
        assert!(postgres.query("select 1").is_err());
        postgres.start_again().unwrap();
        assert_eq!(postgres.query("select word, octets is null from kept").unwrap(), "by stop|f\nby kill|t");
        let dump = postgres.dump().unwrap();
        for word in ["by stop", "by kill", "in octets"] {
            assert!(dump.contains(word), "{dump}");
        }
        assert_eq!(postgres.url(), url);
        for url in [url, postgres.socket_url()] {
            let mut psql = Command::new(postgres.programs.join("psql"));
            assert_eq!(output_of(psql.args([&url, "-Atc", "select current_database()"])).unwrap(), NAME);
        }

        postgres.stop().unwrap();
        assert!(postgres.query("select 1").is_err());
        drop(postgres);
        assert!(!path.exists());
    }

    #[test]
    fn while_it_is_frozen_nobody_hears_of_it() {
        let postgres = Postgres::start(&[]).unwrap();
        postgres.freeze().unwrap();
        let mut psql = Command::new("timeout");
        psql.arg("1").arg(postgres.programs.join("psql")).args([&postgres.url(), "-Atc", "select 1"]);
        assert_eq!(psql.output().unwrap().status.code(), Some(124), "it waits");
        postgres.thaw().unwrap();
        assert_eq!(postgres.query("select 1").unwrap(), "1");
        postgres.freeze().unwrap();
        let path = postgres.path.clone();
        drop(postgres);
        assert!(!path.exists());
    }

    #[test]
    #[allow(clippy::print_stdout, reason = "what is not tried is said")]
    fn a_small_disk_gets_full_and_has_room_again() {
        if !is_root() {
            println!("not tried: a disk of its own needs root");
            return;
        }
        let postgres = Postgres::start_on_small_disk("4m").unwrap();
        postgres.query("create table kept (word text)").unwrap();
        postgres
            .query("create table ballast as select repeat('x', 1000) from generate_series(1, 1000)")
            .unwrap();
        let fill = "insert into ballast select repeat('x', 1000) from generate_series(1, 10000)";
        let error = postgres.query(fill).unwrap_err().to_string();
        assert!(error.contains("No space left on device"), "{error}");
        postgres.query("drop table ballast").unwrap();
        postgres.query("insert into kept values ('after all')").unwrap();
        assert_eq!(postgres.query("select word from kept").unwrap(), "after all");
    }

    #[test]
    fn sql_that_is_wrong_is_an_error_that_says_why() {
        let postgres = Postgres::start(&[]).unwrap();
        let error = postgres.query("select no_such_column").unwrap_err().to_string();
        assert!(error.contains("no_such_column"), "{error}");
        let error = Postgres::start(&[("no_such_setting", "1")]).unwrap_err();
        assert!(format!("{error:#}").contains("no_such_setting"), "{error:#}");
    }
}
