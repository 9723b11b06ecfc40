//! Clusters of the Postgres that is installed. Run by root, they are those of the user `nobody`.

use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio_postgres::NoTls;

use super::{Cluster, ClusterError, Folder, Owner, binaries, owner, within};

impl Owner {
    /// Whose clusters are in tests: nobody's if we are root, so that no user has to be made.
    pub(super) fn of_tests() -> Self {
        if owner::is_root() { Self::named("nobody").unwrap().unwrap() } else { Self::of_clusters().unwrap() }
    }
}

/// A folder that the cluster's user can get to.
pub(in crate::store) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
    folder
}

/// The cluster in this folder.
pub(in crate::store) fn open(data_dir: &Path) -> Result<Cluster, ClusterError> {
    let owner = Owner::of_tests();
    let installed = binaries::installed(binaries::PLACES, std::env::var_os("PATH").as_deref(), &owner);
    Cluster::open_with(data_dir, owner, installed)
}

/// The first column of what a statement returns.
fn ask(cluster: &Cluster, statement: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = cluster.config().connect(NoTls).await?;
        let work = async move {
            let rows = client.simple_query(statement).await?;
            let first = |row| match row {
                tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("").to_owned()),
                _ => None,
            };
            Ok(rows.into_iter().filter_map(first).collect())
        };
        tokio::join!(work, connection).0
    })
}

fn ask_one(cluster: &Cluster, statement: &str) -> String {
    let mut answers = ask(cluster, statement).unwrap();
    assert_eq!(answers.len(), 1, "{statement}");
    answers.remove(0)
}

fn pid_file(data_dir: &Path) -> PathBuf {
    data_dir.join("data/postmaster.pid")
}

fn postmaster(data_dir: &Path) -> u32 {
    fs::read_to_string(pid_file(data_dir)).unwrap().lines().next().unwrap().parse().unwrap()
}

/// Kills the postmaster that this test has started, and waits until it is gone.
fn kill(pid: u32) {
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(command_line.windows(8).any(|part| part == b"postgres"));
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
    let started = Instant::now();
    while fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()) {
        assert!(started.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(5));
    }
}

/// The processes that run on these data: user, process, session.
fn processes(data_dir: &Path) -> Vec<(u32, u32, u32)> {
    let postmaster = postmaster(data_dir);
    let about = |process: fs::DirEntry| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(process.path().join("stat")).ok()?;
        // After the name: state, parent, group, session.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let (parent, session): (u32, u32) = (fields[1].parse().ok()?, fields[3].parse().ok()?);
        let is_of_it = pid == postmaster || parent == postmaster;
        is_of_it.then(|| Some((process.metadata().ok()?.uid(), pid, session))).flatten()
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(about).collect()
}

#[test]
fn a_new_cluster_serves_is_closed_to_others_and_is_not_roots() {
    let parent = folder();
    let data_dir = parent.path().join("made/with what's above");
    let cluster = open(&data_dir).unwrap();
    assert_eq!(ask_one(&cluster, "select current_database()"), "mailsonde");
    for (setting, value) in [
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("max_connections", "100"),
        ("log_parameter_max_length", "0"),
        ("log_min_messages", "log"),
    ] {
        assert_eq!(ask_one(&cluster, &format!("show {setting}")), value, "{setting}");
    }
    assert_eq!(ask_one(&cluster, "select datcollate from pg_database where datname = 'mailsonde'"), "C");

    let uid = Owner::of_tests().uid();
    for private in [data_dir.join("data"), data_dir.join("socket")] {
        let about = fs::metadata(&private).unwrap();
        assert_eq!((about.mode() & 0o7777, about.uid()), (0o700, uid.as_raw()), "{}", private.display());
    }
    let mode = fs::metadata(&data_dir).unwrap().mode() & 0o7777;
    assert_eq!(mode, if owner::is_root() { 0o711 } else { 0o700 });

    let processes = processes(&data_dir);
    assert!(processes.len() > 3, "{processes:?}");
    for (user, pid, session) in processes {
        assert_eq!(user, uid.as_raw());
        assert_ne!(user, 0);
        // A session of its own, each: Ctrl-C at a terminal is not for them.
        assert_eq!(session, pid);
    }
    assert_no_lock_is_inherited(&data_dir);

    cluster.release().unwrap();
    assert!(!pid_file(&data_dir).exists());
}

fn assert_no_lock_is_inherited(data_dir: &Path) {
    for (_, pid, _) in processes(data_dir) {
        // One may have ended meanwhile.
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let files: Vec<PathBuf> = open.filter_map(|file| fs::read_link(file.path()).ok()).collect();
        assert!(!files.iter().any(|file| file.extension() == Some("lock".as_ref())), "{files:?}");
    }
}

#[test]
fn who_leaves_last_stops_it_and_what_was_written_stays() {
    let parent = folder();
    let data_dir = parent.path().join("pg");
    let first = open(&data_dir).unwrap();
    let pid = postmaster(&data_dir);
    ask(&first, "create table kept (word text); insert into kept values ('here')").unwrap();
    let second = open(&data_dir).unwrap();
    assert_eq!(postmaster(&data_dir), pid);
    first.release().unwrap();
    assert_eq!(ask_one(&second, "select word from kept"), "here");
    drop(second);
    assert!(!pid_file(&data_dir).exists());

    let again = open(&data_dir).unwrap();
    assert_ne!(postmaster(&data_dir), pid);
    assert_eq!(ask_one(&again, "select word from kept"), "here");
}

#[test]
fn a_cluster_that_was_killed_is_started_again() {
    let parent = folder();
    let data_dir = parent.path().join("pg");
    let first = open(&data_dir).unwrap();
    ask(&first, "create table kept (word text); insert into kept values ('here')").unwrap();
    let pid = postmaster(&data_dir);
    kill(pid);
    assert_eq!(postmaster(&data_dir), pid, "the number of the dead one is still there");

    let second = open(&data_dir).unwrap();
    assert_ne!(postmaster(&data_dir), pid);
    // Who was there before goes on with the new one.
    assert_eq!(ask_one(&first, "select word from kept"), "here");
    drop(first);
    second.release().unwrap();
    assert!(!pid_file(&data_dir).exists());

    // Leaving one that is dead already is no fault.
    let third = open(&data_dir).unwrap();
    kill(postmaster(&data_dir));
    third.release().unwrap();
}

/// A process of ours is killed: this test once more, in a process of its own, is that process.
#[test]
fn who_is_killed_leaves_it_to_the_next() {
    const VICTIM: &str = "MAILSONDE_TEST_CLUSTER_OF_VICTIM";
    const IS_OPEN: &str = "it is open";
    if let Some(data_dir) = std::env::var_os(VICTIM) {
        let _cluster = open(Path::new(&data_dir)).unwrap();
        println!("{IS_OPEN}");
        loop {
            thread::park();
        }
    }
    let parent = folder();
    let data_dir = parent.path().join("pg");
    let mut victim = Command::new(std::env::current_exe().unwrap());
    victim.args(["--exact", "--nocapture", thread::current().name().unwrap()]).env(VICTIM, &data_dir);
    let mut victim = victim.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(victim.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().ends_with(IS_OPEN)));
    let pid = postmaster(&data_dir);
    let other = open(&data_dir).unwrap();
    other.release().unwrap();
    assert_eq!(postmaster(&data_dir), pid, "the victim uses it");

    victim.kill().unwrap();
    victim.wait().unwrap();
    let next = open(&data_dir).unwrap();
    assert_eq!(postmaster(&data_dir), pid);
    next.release().unwrap();
    assert!(!pid_file(&data_dir).exists());
}

#[test]
fn processes_that_outlive_their_server_are_waited_for() {
    let parent = folder();
    let data_dir = parent.path().join("pg");
    let first = open(&data_dir).unwrap();
    thread::scope(|scope| {
        // So busy that it does not notice.
        let busy = "do $$ begin while clock_timestamp() < now() + interval '3s' loop null; end loop; end $$";
        let busy = scope.spawn(|| ask(&first, busy));
        let active = "select pid from pg_stat_activity where query like 'do %'";
        let mut pids = Vec::new();
        while pids.is_empty() {
            pids = ask(&first, active).unwrap();
        }
        let is_there = || fs::read(format!("/proc/{}/cmdline", pids[0])).is_ok_and(|line| !line.is_empty());
        kill(postmaster(&data_dir));
        assert!(is_there());
        let second = open(&data_dir).unwrap();
        assert!(!is_there(), "two servers would write the same files");
        assert_eq!(ask_one(&second, "select 1"), "1");
        let _ = busy.join().unwrap();
    });
}

#[test]
fn the_number_of_a_dead_server_may_be_that_of_another_process_now() {
    let parent = folder();
    let data_dir = parent.path().join("pg");
    let cluster = open(&data_dir).unwrap();
    let left_behind = fs::read_to_string(pid_file(&data_dir)).unwrap();
    cluster.release().unwrap();
    // A process of the cluster's user, as it would be after a restart of a container.
    let mut other = Owner::of_tests().command(Path::new("sleep")).arg("600").spawn().unwrap();
    let pid = other.id().to_string();
    let rest = left_behind.split_once('\n').unwrap().1;
    fs::write(pid_file(&data_dir), format!("{pid}\n{rest}")).unwrap();

    let cluster = open(&data_dir);
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(ask_one(&cluster.unwrap(), "select 1"), "1");
}

#[test]
fn what_a_crash_left_of_the_making_is_made_anew() {
    let parent = folder();
    let data_dir = parent.path().join("pg");
    let about = Folder::open(&data_dir, &Owner::of_tests()).unwrap();
    about.begin_data(&Owner::of_tests()).unwrap();
    fs::write(data_dir.join("unfinished/PG_VERSION"), "15\n").unwrap();
    let cluster = open(&data_dir).unwrap();
    assert_eq!(ask_one(&cluster, "select 1"), "1");
    assert!(!data_dir.join("unfinished").exists());
}

#[test]
fn many_may_come_at_once() {
    const MANY: usize = 6;
    let parent = folder();
    let data_dir = parent.path().join("pg");
    let together = Arc::new(Barrier::new(MANY));
    let come = || {
        let (data_dir, together) = (data_dir.clone(), Arc::clone(&together));
        thread::spawn(move || {
            together.wait();
            let cluster = open(&data_dir).unwrap();
            let started = ask_one(&cluster, "select pg_postmaster_start_time()");
            together.wait();
            cluster.release().unwrap();
            started
        })
    };
    let all: Vec<_> = (0..MANY).map(|_| come()).collect();
    let mut started: Vec<String> = all.into_iter().map(|one| one.join().unwrap()).collect();
    started.dedup();
    assert_eq!(started.len(), 1, "all have used the same server: {started:?}");
    assert!(!pid_file(&data_dir).exists());
}

#[test]
fn a_long_path_has_its_socket_at_a_short_place() {
    let parent = folder();
    let data_dir = parent.path().join("long".repeat(30));
    let cluster = open(&data_dir).unwrap();
    assert_eq!(ask_one(&cluster, "select 1"), "1");
    let socket = cluster.folder.socket().to_owned();
    assert!(!socket.starts_with(&data_dir));
    cluster.release().unwrap();

    // A folder that others may enter is not used, even if it is where ours would be.
    fs::set_permissions(&socket, Permissions::from_mode(0o755)).unwrap();
    let error = open(&data_dir).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{} is open to others", socket.display())), "{error}");
    fs::remove_dir(&socket).unwrap();
    // Nor one to which somebody has laid a link.
    let elsewhere = parent.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &socket).unwrap();
    let error = open(&data_dir);
    fs::remove_file(&socket).unwrap();
    assert!(matches!(error, Err(ClusterError::NotOurs { .. })), "{error:?}");
}

#[test]
fn whoever_made_the_folder_of_our_data_the_clusters_user_can_go_through_it() {
    let parent = folder();
    let data = parent.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
    let dir = within(&data).unwrap();
    assert_eq!(dir, data.join("postgres"));
    let mode = fs::metadata(&data).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, if owner::is_root() { 0o711 } else { 0o700 });
    Folder::open(&dir, &Owner::of_tests()).unwrap();
}

#[test]
fn without_postgres_one_line_says_what_to_do() {
    let parent = folder();
    let data_dir = parent.path().join("pg");
    let owner = Owner::of_tests();
    let installed = binaries::installed(&[], Some(parent.path().as_os_str()), &owner);
    let error = Cluster::open_with(&data_dir, owner, installed).unwrap_err().to_string();
    assert_eq!(
        error,
        "Postgres is not installed: install 15 or newer (`apt-get install postgresql`), or set `[database] url`"
    );
    assert!(!data_dir.exists(), "nothing is made");
}

#[test]
fn a_cluster_of_another_version_is_left_alone() {
    let parent = folder();
    let data_dir = parent.path().join("pg");
    open(&data_dir).unwrap().release().unwrap();
    let file = data_dir.join("data/PG_VERSION");
    let before = fs::read_to_string(&file).unwrap();
    fs::write(&file, "11\n").unwrap();
    let error = open(&data_dir).unwrap_err().to_string();
    assert!(error.contains("is of Postgres 11, but installed is 15"), "{error}");
    assert!(!error.contains('\n'));

    fs::write(&file, before).unwrap();
    assert_eq!(ask_one(&open(&data_dir).unwrap(), "select 1"), "1");
}

#[test]
fn why_it_does_not_start_is_told_and_the_next_attempt_is_free() {
    let parent = folder();
    let data_dir = parent.path().join("pg");
    open(&data_dir).unwrap().release().unwrap();
    // `alter system set` goes here.
    let settings = data_dir.join("data/postgresql.auto.conf");
    fs::write(&settings, "shared_buffers = '1'\n").unwrap();
    let error = open(&data_dir).unwrap_err().to_string();
    assert!(error.starts_with("postgres: FATAL:  configuration file"), "{error}");
    fs::write(&settings, "").unwrap();
    assert_eq!(ask_one(&open(&data_dir).unwrap(), "select 1"), "1");
}

#[test]
fn no_value_gets_into_the_log() {
    let parent = folder();
    let data_dir = parent.path().join("pg");
    let cluster = open(&data_dir).unwrap();
    ask(&cluster, "create table one (word text primary key, long int)").unwrap();
    for statement in [
        "insert into one values ('secret-word'), ('secret-word')",
        "insert into one values ('a', 'secret-word'::int)",
        "select 'secret-word'::uuid",
        "select secret-word",
        "do $$ begin raise warning 'secret-word'; end $$",
    ] {
        let _ = ask(&cluster, statement);
    }
    cluster.release().unwrap();
    let log = fs::read_dir(data_dir.join("data/log")).unwrap().flatten();
    let text: String = log.map(|file| fs::read_to_string(file.path()).unwrap()).collect();
    assert!(text.contains("database system is shut down"), "{text}");
    assert!(!text.contains("secret-word"), "{text}");
}

/// In an `/etc` of its own, so that the machine gets no user: this test once more, which there does what it tests.
#[test]
fn root_gets_a_user_where_there_is_none() {
    const INSIDE: &str = "MAILSONDE_TEST_HAS_ITS_OWN_ETC";
    // Where the machine has one, he is taken out.
    const ENTER: &str = r#"
        cp -a /etc "$0"
        for table in passwd shadow group gshadow; do sed -i "/^$USER_OF_CLUSTERS:/d" "$0/etc/$table"; done
        mount --bind "$0/etc" /etc
        exec "$@"
    "#;
    if !owner::is_root() {
        return;
    }
    if std::env::var_os(INSIDE).is_some() {
        assert_eq!(Owner::named(owner::USER).unwrap(), None);
        let made = Owner::of_clusters().unwrap();
        assert!(!made.uid().is_root());
        assert_eq!(Owner::of_clusters().unwrap(), made, "he is made once");
        return;
    }
    let scratch = folder();
    let mut again = Command::new("unshare");
    again.args(["--mount", "sh", "-euc", ENTER]).arg(scratch.path()).arg(std::env::current_exe().unwrap());
    again.args(["--exact", thread::current().name().unwrap()]);
    again.env(INSIDE, "").env("USER_OF_CLUSTERS", owner::USER);
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{output:?}");
}

#[test]
fn a_folder_that_the_user_cannot_enter_is_named() {
    if !owner::is_root() {
        return; // then he is us
    }
    let shut = tempfile::tempdir().unwrap();
    fs::set_permissions(shut.path(), Permissions::from_mode(0o700)).unwrap();
    let error = open(&shut.path().join("pg")).unwrap_err().to_string();
    let expected = format!("the user nobody, as whom Postgres runs, cannot enter {}:", shut.path().display());
    assert!(error.starts_with(&expected), "{error}");
}
