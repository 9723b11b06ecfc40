//! Stores for tests, in a real Postgres: one private cluster for the process, and in it a database for each test.
//!
//! The cluster ends with the process, however that ends: a shell waits for it, stops what is left and removes it.

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio_postgres::{Config, NoTls};
use uuid::Uuid;

use super::{
    DatabaseConfig, Store,
    cluster::{self, Cluster},
    keys::Keyring,
    migrations,
};

/// Not secret at all.
pub(crate) const KEYS: &str = "00000001 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

/// How many in this database wait for a lock.
pub(crate) const WAITS: &str =
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";

/// A migrated database, of which those of tests are copies.
const TEMPLATE: &str = "migrated";

/// `[database]` of tests. They are for two cores that many tests share.
const DATABASE: &str = r#"
url = ""
ca_file = ""
data_dir = ""
requests_max = 4
workers_max = 8
connect_timeout = "20s"
statement_timeout = "20s"
lock_timeout = "20s"
"#;

/// `$0` is the folder. The first line is read when the process has ended. A folder is not removed under a server that
/// still runs.
const CLEAN_UP: &str = r#"
read -r _
file=$0/pg/data/postmaster.pid
[ -e "$file" ] && kill -QUIT "$(head -n 1 "$file")"
tries=0
while [ -e "$file" ] && [ $tries -lt 200 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
[ -e "$file" ] || rm -rf "$0"
"#;

/// The cluster of this process.
struct Shared {
    cluster: Cluster,
    /// Hears of the end of this process by the end of its input.
    _shell: Child,
}

static SHARED: OnceLock<Shared> = OnceLock::new();

/// How many databases there are.
static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// A store of the test's own, as a first start leaves it, but for the keys, which it has yet to hear of.
pub(crate) async fn store() -> Store {
    let name = create(Some(TEMPLATE)).await;
    open(&name, keys())
}

/// A store in whose database there is nothing.
pub(super) async fn empty() -> Store {
    let name = create(None).await;
    open(&name, keys())
}

/// A store in which no task of our own waits.
pub(crate) async fn store_without_tasks() -> Store {
    let store = store().await;
    store.worker().await.unwrap().batch_execute("delete from task").await.unwrap();
    store
}

/// The same store, whose tasks tell of each row by itself.
pub(crate) fn telling_each(store: Store) -> Store {
    Store { tells_each: true, ..store }
}

/// Webhooks are not delivered before all else is done.
pub(crate) async fn put_messages_off(store: &Store) {
    let put_off = "update task set due_at = 'infinity' where kind = 'webhook'";
    store.worker().await.unwrap().batch_execute(put_off).await.unwrap();
}

/// The webhooks that nobody has taken yet, sealed, by their ids.
pub(crate) async fn kept_messages(store: &Store) -> Vec<(Uuid, Vec<u8>)> {
    let kept = "select id, sealed from webhook where state = 'pending'";
    let kept = store.worker().await.unwrap().query(kept, &[]).await.unwrap();
    kept.iter().map(|row| (row.get("id"), row.get("sealed"))).collect()
}

/// The same store, as another process has it, with these keys.
pub(crate) fn another(store: &Store, keys: Keyring) -> Store {
    open(store.connection.get_dbname().expect("it has a database"), keys)
}

/// Throws everybody out of the store's database and lets nobody in, as if it were away; or lets them in again.
pub(crate) async fn shut(store: &Store, is_shut: bool) {
    let (server, name) = (server().await, store.connection.get_dbname().expect("it has a database"));
    execute(&server, &format!("alter database {name} allow_connections {}", !is_shut)).await;
    if is_shut {
        let those =
            format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
        execute(&server, &those).await;
    }
}

/// The keys of stores of tests.
pub(crate) fn keys() -> Keyring {
    Keyring::from_text(KEYS).unwrap()
}

/// How to connect to the server whose databases these are, as its owner.
pub(super) async fn server() -> Config {
    // Starting it blocks.
    tokio::task::spawn_blocking(|| SHARED.get_or_init(start).cluster.config()).await.unwrap()
}

fn open(database: &str, keys: Keyring) -> Store {
    let mut connection = SHARED.get().expect("its database was made there").cluster.config();
    connection.dbname(database);
    store_of(connection, keys)
}

/// A store that is neither migrated nor checked.
pub(super) fn store_of(connection: Config, keys: Keyring) -> Store {
    let config: DatabaseConfig = toml::from_str(DATABASE).unwrap();
    Store::new(&config, connection, keys, None).unwrap()
}

/// Makes a database; returns its name.
async fn create(template: Option<&str>) -> String {
    let server = server().await;
    let name = format!("test_{}", DATABASES.fetch_add(1, Relaxed));
    let template = template.map(|template| format!(" template {template}")).unwrap_or_default();
    execute(&server, &format!("create database {name}{template}")).await;
    name
}

async fn execute(connection: &Config, statement: &str) {
    let (client, connection) = connection.connect(NoTls).await.unwrap();
    let work = async move { client.batch_execute(statement).await };
    tokio::join!(work, connection).0.unwrap();
}

fn start() -> Shared {
    let folder = cluster::folder_of_tests().keep();
    let shell = clean_up_after_us(&folder);
    let cluster = cluster::open_of_tests(&folder.join("pg")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = cluster.config();
        // Nothing in it need outlive anything.
        execute(&server, "alter system set fsync = off").await;
        execute(&server, "select pg_reload_conf()").await;
        execute(&server, &format!("create database {TEMPLATE}")).await;
        let mut connection = cluster.config();
        connection.dbname(TEMPLATE);
        let store = store_of(connection, keys());
        migrations::migrate(&mut store.worker().await.unwrap()).await.unwrap();
    });
    Shared { cluster, _shell: shell }
}

/// In a process group of its own, so that what ends the tests does not end it too; and it holds none of their outputs,
/// whose readers would wait for it.
fn clean_up_after_us(folder: &Path) -> Child {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(CLEAN_UP).arg(folder).current_dir("/").process_group(0);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn count(store: &Store) -> i64 {
        store.worker().await.unwrap().query_one("select count(*) from worker", &[]).await.unwrap().get(0)
    }

    #[tokio::test]
    async fn each_test_has_a_store_of_its_own() {
        let (ours, theirs) = tokio::join!(store(), store());
        let client = ours.worker().await.unwrap();
        let add = "insert into worker (id, host) values (gen_random_uuid(), 'here')";
        client.execute(add, &[]).await.unwrap();
        assert_eq!((count(&ours).await, count(&theirs).await), (1, 0));
        assert_eq!(count(&another(&ours, keys())).await, 1);
    }
}
