//! Finished tasks leave together: those that finish while others are being removed are the next group. One statement and
//! one commit serve a group, and nobody waits for company that may not come.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{
    self,
    oneshot::{self, error::TryRecvError},
};

use crate::store::{
    Store, StoreError,
    tasks::{self, Lease},
};

/// Whoever waits to be removed.
#[derive(Default)]
pub(super) struct Removal {
    waiting: Mutex<Vec<Waiting>>,
    turn: sync::Mutex<()>,
}

struct Waiting {
    lease: Lease,
    /// Told whether the task was still ours; dropped where nobody knows.
    was_ours: oneshot::Sender<bool>,
}

impl Removal {
    /// Removes a task, and all who wait for that too.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: it was not ours any longer. Others: it is unclear, as it is for the whole group.
    pub(super) async fn remove(&self, store: &Store, lease: Lease) -> Result<(), StoreError> {
        let (was_ours, mut answer) = oneshot::channel();
        self.lock().push(Waiting { lease, was_ours });
        let _turn = self.turn.lock().await;
        let was_ours = match answer.try_recv() {
            Ok(was_ours) => was_ours,
            Err(TryRecvError::Empty) => self.remove_all(store).await?.contains(&lease.task),
            Err(TryRecvError::Closed) => {
                return Err(StoreError::Away("it could not be removed with others".into()));
            }
        };
        if was_ours { Ok(()) } else { Err(StoreError::Fenced) }
    }

    /// Removes all who wait, and tells them. Returns the tasks that were ours, sorted.
    async fn remove_all(&self, store: &Store) -> Result<Vec<i64>, StoreError> {
        let group = std::mem::take(&mut *self.lock());
        let leases: Vec<Lease> = group.iter().map(|waiting| waiting.lease).collect();
        let removed = tasks::remove(&store.worker().await?, &leases).await?;
        for Waiting { lease, was_ours } in group {
            // Who does not listen any longer has ended.
            let _ = was_ours.send(removed.binary_search(&lease.task).is_ok());
        }
        Ok(removed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join_all;
    use uuid::Uuid;

    use super::*;
    use crate::store::testing;

    /// Notes how many rows each statement removes.
    const WATCH: &str = "
        delete from task;
        create table removed (at bigint generated always as identity, tasks bigint);
        create function note() returns trigger language plpgsql as
        $$ begin insert into removed (tasks) select count(*) from gone; return null; end $$;
        create trigger note after delete on task referencing old table as gone
        for each statement execute function note();";

    async fn leases(store: &Store, count: i32) -> Vec<Lease> {
        let client = store.worker().await.unwrap();
        client.batch_execute(WATCH).await.unwrap();
        let add = "insert into task (kind, client, deadline_at)
            select 'close', (select id from client where name = 'mailsonde'), now() from generate_series(1, $1)";
        client.execute(add, &[&count]).await.unwrap();
        let claimed = tasks::claim(&client, Uuid::nil(), Duration::from_mins(1), 100).await.unwrap();
        claimed.iter().map(|task| task.lease).collect()
    }

    async fn ask<T: for<'a> tokio_postgres::types::FromSql<'a>>(store: &Store, sql: &str) -> T {
        store.worker().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
    }

    #[tokio::test]
    async fn who_finishes_while_others_are_removed_leaves_with_the_next() {
        let store = testing::store().await;
        let (removal, mut leases) = (Removal::default(), leases(&store, 20).await);
        // Somebody else's by now.
        leases[7].fence -= 1;
        let ends = join_all(leases.iter().map(|lease| removal.remove(&store, *lease))).await;
        for (lease, end) in leases.iter().zip(ends) {
            let is_fenced = matches!(end, Err(StoreError::Fenced));
            assert!(if *lease == leases[7] { is_fenced } else { end.is_ok() }, "{lease:?}");
        }
        let groups: Vec<i64> = ask(&store, "select array_agg(tasks order by at) from removed").await;
        assert_eq!(groups, [1, 18]);
        assert_eq!(ask::<i64>(&store, "select count(*) from task where state = 'running'").await, 1);
    }

    #[tokio::test]
    async fn a_group_that_cannot_be_removed_is_unclear_for_all_of_it_and_only_for_it() {
        let store = testing::store().await;
        let (removal, leases) = (Removal::default(), leases(&store, 5).await);
        let client = store.worker().await.unwrap();
        client.batch_execute("alter table task rename to away").await.unwrap();
        let ends = join_all(leases.iter().map(|lease| removal.remove(&store, *lease))).await;
        assert!(
            ends.iter().all(|end| matches!(end, Err(error) if !matches!(error, StoreError::Fenced))),
            "{ends:?}"
        );
        client.batch_execute("alter table away rename to task").await.unwrap();
        let ends = join_all(leases.iter().map(|lease| removal.remove(&store, *lease))).await;
        assert!(ends.iter().all(Result::is_ok), "{ends:?}");
    }
}
