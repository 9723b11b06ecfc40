//! How a job ends: under a lock that all who write verdicts of it share, and after it was counted what there is.

use deadpool_postgres::{Client, Transaction};
use uuid::Uuid;

use super::{Contents, JobRow, KeptChunk};
use crate::store::{
    StoreError,
    billing::{self, Outcome},
    chunks::{self, lock_of},
    jobs, relentless,
    task_lists::{self, Sums},
    tasks::{ChunkId, TAKE_TURNS},
    webhooks::{self, NewWebhook},
};

pub(in crate::store) const IS_LIVE: &str = "select state in ('running', 'paused') from job where id = $1";

pub(in crate::store) const FACADE: &str = "select facade from job where id = $1";

pub(in crate::store) const SUM: &str = "
select items, coalesce((select sum(final) from part where part.job = job.id), 0)::int as done
from job where id = $1";

/// Without the verdicts themselves: a line for each part, or one for a chunk that has none.
pub(in crate::store) const PROGRESS: &str = "
select chunk.no, chunk.items, chunk.round, chunk.dead, part.counts
from chunk left join part on part.job = chunk.job and part.chunk = chunk.no
where chunk.job = $1 order by chunk.no";

pub(in crate::store) const SEALED: &str = "select sealed from chunk where job = $1 and no = $2";

pub(in crate::store) const END: &str = "
update job set state = $2, left_over = $3, counts = $4, ended_at = now(),
    role_based = (select coalesce(sum(role_based), 0) from part where part.job = $1),
    disposable = (select sum_of_places(disposable) from part where part.job = $1),
    expires_at = case facade when 'local' then expires_at else now() + (expires_at - deadline_at) end
where id = $1";

/// What [`END`] makes of a job of which somebody wants to be told, or of which more is written down.
pub(in crate::store) const FORESEE: &str = "
select now() as ended_at, now() + (expires_at - deadline_at) as expires_at
from job where id = $1 and (callback is not null and facade <> 'local' or facade = 'relentless')";

/// In the order in which leases are extended, so that the two do not wait for each other crosswise.
pub(in crate::store) const DROP_TASKS: &str = "
delete from task where id in (select id from task where job = $1 and state <> 'dead' order by id for update)";

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Everybody has a verdict, or a chunk that failed for good.
    Done,
    /// Its deadline has passed.
    DeadlinePassed,
    /// Its client wants no more of it.
    Canceled,
}

impl End {
    fn state(self) -> &'static str {
        match self {
            Self::Done | Self::DeadlinePassed => "completed",
            Self::Canceled => "canceled",
        }
    }

    /// How a job ended, by what those got who had no verdict.
    pub(super) fn of(left_over: Option<&str>) -> Self {
        let all = [Self::DeadlinePassed, Self::Canceled];
        all.into_iter().find(|end| end.left_over() == left_over).unwrap_or(Self::Done)
    }

    fn left_over(self) -> Option<&'static str> {
        match self {
            Self::Done => None,
            Self::DeadlinePassed => Some("deadline_passed"),
            Self::Canceled => Some("canceled"),
        }
    }
}

/// How far a chunk has come.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) no: i32,
    pub(crate) items: i32,
    /// How often its items were put off by servers: they stand in chunks of earlier rounds too.
    pub(crate) round: i32,
    /// It failed for good.
    pub(crate) is_dead: bool,
    /// The final verdicts of each of its parts, by category.
    pub(crate) parts: Vec<Vec<i32>>,
}

/// A transaction in which a job ends: nobody writes verdicts of it meanwhile.
pub(crate) struct Ending<'a> {
    tx: Transaction<'a>,
    job: Uuid,
}

impl<'a> Ending<'a> {
    /// Waits for those who are writing. `None` when the job has ended already, or there is still something to do.
    pub(crate) async fn begin(
        client: &'a mut Client,
        job: Uuid,
        end: End,
    ) -> Result<Option<Self>, StoreError> {
        let may_end = if end == End::Done { jobs::IS_DONE } else { IS_LIVE };
        let tx = client.transaction().await?;
        let (lock, may_end) =
            tokio::try_join!(biased; tx.prepare_cached(TAKE_TURNS), tx.prepare_cached(may_end))?;
        let number = lock_of(job);
        tx.execute(&lock, &[&number]).await?;
        let row = tx.query_opt(&may_end, &[&job]).await?;
        let may_end = row.is_some_and(|row| row.get(0));
        Ok(may_end.then_some(Self { tx, job }))
    }

    /// Nothing of it is left to do: it is done, whatever else would end it at this moment.
    pub(crate) async fn is_done(&self) -> Result<bool, StoreError> {
        jobs::is_done(&self.tx, self.job).await
    }

    /// The verdicts by category where everybody has one; else nothing, and [`Self::progress`] tells where to look.
    pub(crate) async fn counts(&self, categories: usize) -> Result<Option<Vec<i32>>, StoreError> {
        let sum = self.tx.prepare_cached(SUM).await?;
        let row = self.tx.query_one(&sum, &[&self.job]).await?;
        let (items, done): (i32, i32) = (row.get("items"), row.get("done"));
        if done < items {
            return Ok(None);
        }
        jobs::counts_so_far(&self.tx, self.job, categories).await.map(Some)
    }

    /// How far its chunks have come, in the order of their numbers.
    pub(crate) async fn progress(&self) -> Result<Vec<Progress>, StoreError> {
        let progress = self.tx.prepare_cached(PROGRESS).await?;
        let mut all: Vec<Progress> = Vec::new();
        for row in self.tx.query(&progress, &[&self.job]).await? {
            let no = row.get("no");
            if all.last().is_none_or(|last| last.no != no) {
                let (items, round, is_dead) = (row.get("items"), row.get("round"), row.get("dead"));
                all.push(Progress { no, items, round, is_dead, parts: Vec::new() });
            }
            if let (Some(last), Some(counts)) = (all.last_mut(), row.get("counts")) {
                last.parts.push(counts);
            }
        }
        Ok(all)
    }

    /// Everything that is kept of one of its chunks.
    pub(crate) async fn chunk(&self, no: i32, is_dead: bool) -> Result<KeptChunk, StoreError> {
        let sealed = self.tx.prepare_cached(SEALED).await?;
        let sealed = self.tx.query_one(&sealed, &[&self.job, &no]).await?.get(0);
        let parts = chunks::parts(&self.tx, ChunkId { job: self.job, no }).await?;
        Ok(KeptChunk { no, sealed, is_dead, parts })
    }

    /// The job as it will be known when it has ended so; none, where there is
    /// nobody to tell and nothing to write down.
    pub(crate) async fn foreseen(&self, end: End, counts: &[i32]) -> Result<Option<JobRow>, StoreError> {
        let foresee = self.tx.prepare_cached(FORESEE).await?;
        let Some(foreseen) = self.tx.query_opt(&foresee, &[&self.job]).await? else { return Ok(None) };
        let job = jobs::job(&self.tx, self.job).await?;
        Ok(job.map(|job| JobRow {
            state: end.state().into(),
            left_over: end.left_over().map(Into::into),
            counts: Some(counts.into()),
            ended_at: Some(foreseen.get("ended_at")),
            expires_at: foreseen.get("expires_at"),
            ..job
        }))
    }

    /// The terms on which it was taken, where its product has some.
    pub(crate) async fn terms(&self) -> Result<Option<String>, StoreError> {
        relentless::terms(&self.tx, self.job).await
    }

    /// Writes down what came of it, if the transaction is committed.
    pub(crate) async fn sum_up(&self, actual_micros: i64, summary: &str) -> Result<(), StoreError> {
        let actual_micros = i32::try_from(actual_micros).unwrap_or(i32::MAX);
        relentless::sum_up(&self.tx, self.job, actual_micros, summary).await
    }

    /// What is known of its verdicts together; `foreseen`: the job as it will be known.
    pub(crate) async fn sums(&self, foreseen: &JobRow) -> Result<Sums, StoreError> {
        let progress = task_lists::progress(&self.tx, &[self.job]).await?;
        let sums = progress.into_iter().next().map(|(_, sums)| sums).unwrap_or_default();
        let counts = foreseen.counts.clone().unwrap_or_default();
        Ok(Sums { counts, told_at: foreseen.ended_at, ..sums })
    }

    /// The product by which it came.
    pub(crate) async fn facade(&self) -> Result<Option<String>, StoreError> {
        let facade = self.tx.prepare_cached(FACADE).await?;
        Ok(self.tx.query_opt(&facade, &[&self.job]).await?.map(|row| row.get(0)))
    }

    /// Everything that is kept of its items.
    pub(crate) async fn contents(&self) -> Result<Contents, StoreError> {
        jobs::contents(&self.tx, self.job).await
    }

    /// What is told of the end, if the transaction is committed.
    pub(crate) async fn tell(&self, webhook: &NewWebhook) -> Result<(), StoreError> {
        webhooks::add(&self.tx, webhook).await
    }

    /// The same of rows that have no verdict before it.
    pub(crate) async fn tell_rows(&self, webhooks: &[NewWebhook]) -> Result<(), StoreError> {
        webhooks::add_all(&self.tx, webhooks).await
    }

    /// Ends the job, and bills it if it is to be. Whoever is at work at it hears of it.
    pub(crate) async fn end(self, end: End, counts: &[i32], outcome: &Outcome) -> Result<(), StoreError> {
        let tx = self.tx;
        let (finish, drop_tasks) =
            tokio::try_join!(biased; tx.prepare_cached(END), tx.prepare_cached(DROP_TASKS))?;
        tx.execute(&finish, &[&self.job, &end.state(), &end.left_over(), &counts]).await?;
        tx.execute(&drop_tasks, &[&self.job]).await?;
        jobs::notify(&tx, self.job).await?;
        // Last, since the client's requests wait for it.
        billing::settle(&tx, self.job, outcome).await?;
        tx.commit().await?;
        Ok(())
    }
}
