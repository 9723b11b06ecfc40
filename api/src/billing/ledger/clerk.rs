//! The clerk: writes down what has arrived, a group at a time.

use std::time::Duration;

use jiff::civil::Date;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use uuid::Uuid;

use super::{BillingError, Op};
use crate::store::{
    Connection, Retries, Shared, StoreError,
    billing::{
        self,
        groups::{self, Answer, Group, Held, Unwritten},
    },
    gather,
};

/// Requests of a group: so that a commit stays short.
const GROUP_MAX: usize = 1_000;

/// How often a request whose client has no line in this month is written: once to find out, once with the line, and once
/// more where the month ends in between.
const ROUNDS_MAX: u32 = 3;

/// The first pause before looking what became of a commit, and the longest: each is twice as long as the one before.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Clerk {
    store: Shared,
    /// The store's one for clerks: it waits for none behind those who wait for it, and takes none away from them.
    connection: Option<Connection>,
    id: Uuid,
    /// Of the last group.
    number: i64,
    /// What is to be taken back, and could not be yet.
    owed: Vec<Op>,
    // After the store: when this is closed, the store is left.
    arriving: mpsc::Receiver<Op>,
}

impl Clerk {
    pub(super) fn new(store: Shared, arriving: mpsc::Receiver<Op>) -> Self {
        Self { store, connection: None, id: Uuid::now_v7(), number: 0, owed: Vec::new(), arriving }
    }

    pub(super) async fn run(mut self) {
        let mut ops = Vec::new();
        loop {
            let arrived = self.arriving.recv_many(&mut ops, GROUP_MAX);
            // Only what is owed is written without somebody having come.
            let arrived =
                if self.owed.is_empty() { Ok(arrived.await) } else { timeout(PAUSE_MAX, arrived).await };
            gather(&mut self.arriving, &mut ops, GROUP_MAX).await;
            if ops.iter().any(|op| matches!(op, Op::Close)) {
                self.arriving.close();
            }
            ops.append(&mut self.owed);
            self.write(std::mem::take(&mut ops), ROUNDS_MAX).await;
            if arrived == Ok(0) {
                return;
            }
        }
    }

    /// Writes a group, and tells everybody what came of it.
    async fn write(&mut self, mut ops: Vec<Op>, rounds: u32) {
        ops.retain(|op| !op.is_given_up());
        if ops.is_empty() {
            return;
        }
        self.number += 1;
        match self.write_group(&group(&ops)).await {
            Ok(answer) => {
                let without_line = self.tell(ops, &answer);
                if !without_line.is_empty() {
                    Box::pin(self.write_with_lines(without_line, rounds - 1)).await;
                }
            }
            // One that the database does not take is to harm nobody else.
            Err(StoreError::Refused(_)) if ops.len() > 1 => {
                for op in ops {
                    Box::pin(self.write(vec![op], rounds)).await;
                }
            }
            Err(error) => self.fail(ops, &error),
        }
    }

    /// Writes the requests of clients that had no line in this month.
    async fn write_with_lines(&mut self, ops: Vec<Op>, rounds: u32) {
        if rounds == 0 {
            return self.fail(ops, &StoreError::Refused("a request is billed to nobody".into()));
        }
        let clients: Vec<Uuid> = ops.iter().filter_map(Op::client).collect();
        match self.add_lines(&clients).await {
            Ok(()) => self.write(ops, rounds).await,
            Err(error) => self.fail(ops, &error),
        }
    }

    async fn add_lines(&mut self, clients: &[Uuid]) -> Result<(), StoreError> {
        let mut retries = Retries::default();
        loop {
            let connection = self.connect().await?;
            match billing::add_usage(connection, clients).await {
                Err(error) if retries.may_follow(&error).await => {}
                done => return done,
            }
        }
    }

    /// Until it is known whether the group is written: also after the database was away for long, since nobody could say
    /// then what was counted.
    async fn write_group(&mut self, group: &Group) -> Result<Answer, StoreError> {
        let (mut retries, mut pause, mut was_unclear) = (Retries::default(), PAUSE_MIN, false);
        loop {
            let Unwritten { error, is_unclear } = match self.try_write_group(group).await {
                Ok(answer) => return Ok(answer),
                Err(unwritten) => unwritten,
            };
            if is_unclear && !was_unclear {
                tracing::debug!("whether a group of credits is written has to be found out: {error}");
            }
            was_unclear |= is_unclear;
            if !was_unclear {
                if retries.may_follow(&error).await {
                    continue;
                }
                return Err(error);
            }
            if matches!(error, StoreError::Refused(_)) {
                // The same statement did nothing now, so it had done nothing before.
                return Err(error);
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn try_write_group(&mut self, group: &Group) -> Result<Answer, Unwritten> {
        let (id, number) = (self.id, self.number);
        let connection = self.connect().await?;
        groups::write(connection, id, number, group).await
    }

    async fn connect(&mut self) -> Result<&Connection, StoreError> {
        let connection = match self.connection.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            // Whatever is said at the door: it says nothing about the group.
            None => self.store.clerk().await.map_err(|error| match error {
                StoreError::Refused(message) => StoreError::Away(message.into()),
                other => other,
            })?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Tells what came of a group. Returns the requests of clients that have no line in this month.
    fn tell(&mut self, ops: Vec<Op>, answer: &Answer) -> Vec<Op> {
        let mut without_line = Vec::new();
        for op in ops {
            match op {
                Op::Hold { id, client, units, reply } => match answer.held(id, client) {
                    // Who is gone gives it back.
                    Held::Granted => drop(reply.send(Ok(answer.month))),
                    Held::Refused(overdrawn) => drop(reply.send(Err(overdrawn.into()))),
                    Held::NoLine => without_line.push(Op::Hold { id, client, units, reply }),
                },
                Op::Settle { hold: Some(hold), reply, .. } if !answer.ended(hold.id) => {
                    drop(reply.send(Err(BillingError::Lapsed)));
                }
                Op::Settle { client, units, hold: None, reply } if !answer.counted(client) => {
                    without_line.push(Op::Settle { client, units, hold: None, reply });
                }
                Op::Settle { client, units, hold, reply } => {
                    if reply.send(Ok(())).is_err() {
                        let month = hold.map_or(Some(answer.month), |hold| hold.month);
                        self.owed.push(Op::TakeBack { client, month, units });
                    }
                }
                Op::Release { .. } | Op::TakeBack { .. } | Op::Close => {}
            }
        }
        without_line
    }

    /// Nothing is written of these.
    fn fail(&mut self, ops: Vec<Op>, error: &StoreError) {
        for op in ops {
            match op {
                Op::Hold { reply, .. } => drop(reply.send(Err(error.clone().into()))),
                Op::Settle { reply, .. } => drop(reply.send(Err(error.clone().into()))),
                Op::TakeBack { .. } => self.owed.push(op),
                // The sweep gives it back.
                Op::Release { .. } | Op::Close => {}
            }
        }
    }
}

impl Op {
    /// Nobody waits for it, so it need not be done; or there is nothing to do.
    fn is_given_up(&self) -> bool {
        match self {
            Self::Hold { reply, .. } => reply.is_closed(),
            Self::Settle { reply, .. } => reply.is_closed(),
            Self::Release { .. } | Self::TakeBack { .. } => false,
            Self::Close => true,
        }
    }

    fn client(&self) -> Option<Uuid> {
        match self {
            Self::Hold { client, .. } | Self::Settle { client, .. } | Self::TakeBack { client, .. } => {
                Some(*client)
            }
            Self::Release { .. } | Self::Close => None,
        }
    }
}

fn group(ops: &[Op]) -> Group {
    let mut group = Group::default();
    for op in ops {
        match op {
            Op::Hold { id, client, units, .. } => group.hold(*id, *client, *units),
            Op::Settle { units, hold: Some(hold), .. } => group.end(hold.id, *units),
            Op::Settle { client, units, hold: None, .. } => group.count(*client, None::<Date>, *units),
            Op::Release { id } => group.end(*id, 0),
            Op::TakeBack { client, month, units } => group.count(*client, *month, -units),
            Op::Close => {}
        }
    }
    group
}
