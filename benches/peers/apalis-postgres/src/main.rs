//! Pushes tasks that do nothing into a queue of apalis-postgres and drains it, for comparison with mailsonde.
//!
//! In the ways that its documentation has for speed: tasks are pushed in bulk, fetched in batches, not locked once more
//! when they begin, and each is a task of the runtime's. What has become of a task is kept, so that all is durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use anyhow::{Result, ensure};
use apalis::prelude::*;
use apalis_postgres::{Config, PgPool, PostgresStorage};
use clap::Parser;
use serde_json::json;

const QUEUE: &str = "bench";
/// Tasks in one statement.
const PUSHED_AT_ONCE: usize = 10_000;

#[derive(Parser)]
struct Arguments {
    /// An empty database.
    #[arg(long)]
    url: String,
    #[arg(long)]
    tasks: usize,
    /// Tasks that are fetched together.
    #[arg(long)]
    batch: usize,
    /// Tasks at work at the same time.
    #[arg(long)]
    concurrency: usize,
}

/// Prints the seconds of both halves as JSON.
#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let pool = PgPool::connect(&arguments.url).await?;
    PostgresStorage::setup(&pool).await?;
    let config = Config::default().queue(QUEUE).batch_size(arguments.batch).lock_tasks(false);
    let mut queue = PostgresStorage::<u64>::new(&pool).with_config(config);

    let began = Instant::now();
    let numbers: Vec<u64> = (0..).take(arguments.tasks).collect();
    for some in numbers.chunks(PUSHED_AT_ONCE) {
        queue.push_bulk(some.to_vec()).await?;
    }
    let push_s = began.elapsed().as_secs_f64();

    let began = Instant::now();
    drain(queue, &arguments).await?;
    let drain_s = began.elapsed().as_secs_f64();
    let done = "select count(*) from apalis.jobs where status = 'Done'";
    let done: i64 = sqlx::query_scalar(done).fetch_one(&pool).await?;
    ensure!(usize::try_from(done)? == arguments.tasks, "{done} of {} tasks are done", arguments.tasks);
    println!("{}", json!({ "tasks": arguments.tasks, "push_s": push_s, "drain_s": drain_s }));
    Ok(())
}

/// One worker; it is stopped by the last task.
async fn drain(queue: PostgresStorage<u64>, arguments: &Arguments) -> Result<()> {
    let left = Arc::new(AtomicUsize::new(arguments.tasks));
    let nothing = move |_: u64, worker: WorkerContext| {
        let is_last = left.fetch_sub(1, Relaxed) == 1;
        async move {
            if is_last {
                worker.stop()?;
            }
            Ok::<_, BoxDynError>(())
        }
    };
    let worker = WorkerBuilder::new("bench")
        .backend(queue)
        .concurrency(arguments.concurrency)
        .parallelize(tokio::spawn)
        .build(nothing);
    Ok(worker.run().await?)
}
