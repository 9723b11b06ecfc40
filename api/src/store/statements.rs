//! Every statement, for the check that the schema is the one they were written for.

use deadpool_postgres::Client;

use super::{StoreError, chunks, history, jobs, learned, leases, migrations, retention, submission, tasks};

/// All of them.
const STATEMENTS: &[&str] = &[
    chunks::ADD_CHUNK,
    chunks::ADD_CHUNK_TASK,
    chunks::CHUNK,
    chunks::COMPLETE,
    chunks::NEXT_CHUNK,
    chunks::PARTS,
    chunks::RECORD,
    chunks::WAS_WRITTEN,
    chunks::WRITING,
    history::DISPROVE,
    history::FORGET,
    history::FORGET_OLD,
    history::RECALL,
    history::REMEMBER,
    jobs::ALL_CHUNKS,
    jobs::ALL_PARTS,
    jobs::BEGIN,
    jobs::DROP_TASKS,
    jobs::END,
    jobs::END_LOCK,
    jobs::FREE,
    jobs::HOLD,
    jobs::IS_DONE,
    jobs::IS_LIVE,
    jobs::JOB,
    jobs::JOBS,
    jobs::NOTIFY_JOB,
    jobs::PART_COUNTS,
    jobs::PAUSE,
    jobs::RESUME,
    jobs::SUM,
    jobs::UNENDED,
    leases::HELD_BY_OTHERS,
    leases::HOLD,
    leases::LET_ALL_GO,
    leases::LET_GO,
    leases::SWEEP,
    learned::FORGET_OLD,
    learned::NEWER,
    learned::TEACH,
    migrations::ADD_KEY,
    migrations::KEYS,
    retention::DROP_CHUNKS,
    retention::DROP_HEADERS,
    retention::DROP_PARTS,
    retention::DROP_TASKS,
    retention::DROP_WORKERS,
    retention::EXPIRED,
    submission::ADD_CLOSE,
    submission::ADD_JOB,
    submission::BACKLOG,
    submission::CLIENT,
    submission::COPY_CHUNKS,
    submission::COPY_TASKS,
    submission::NOTIFY,
    submission::WORKERS,
    tasks::BURY,
    tasks::CLAIM,
    tasks::EXTEND,
    tasks::FAIL,
    tasks::HAND_BACK,
    tasks::REMOVE,
    tasks::RESCUE,
    tasks::SNOOZE,
    tasks::TAKE_TURNS,
    tasks::WORKER_GONE,
    tasks::WORKER_SEEN,
];

/// Prepares every statement: a schema that is not ours, or only half of it, is found before anything is done.
pub(super) async fn prepare_all(client: &Client) -> Result<(), StoreError> {
    let prepared = STATEMENTS.iter().map(|statement| client.prepare(statement));
    futures_util::future::try_join_all(prepared).await?;
    Ok(())
}
