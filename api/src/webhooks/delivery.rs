//! One try to deliver a message: the handler of its task. What came of it and when the next try is are written together,
//! under the task's fence; who is killed before that leaves the task to somebody else, who says the same again under the
//! same id.

use std::{sync::Once, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{select, sync::watch, time::sleep};

use super::{
    Courier, Message,
    answer::{Answer, Outcome},
    courier::Parcel,
    lanes::{NoPlace, Place},
    secrets,
};
use crate::{
    jobs::{
        item_id::is_of_row,
        queue::{Done, TaskError, Word},
    },
    store::{
        Store, StoreError,
        keys::Row,
        tasks::Lease,
        webhooks::{self, Recorded, Waiting},
    },
};

/// By how much a process's clock may differ from the database's, by which messages are signed: receivers refuse what is
/// more than five minutes away, and which of the two clocks is wrong nobody knows. Such a process is not ready either.
pub(crate) const CLOCK_MAX: SignedDuration = SignedDuration::from_mins(5);

/// When a host whose clock is wrong is asked again.
const CLOCK_PAUSE: Duration = Duration::from_mins(1);

/// That is said once.
static CLOCK_TOLD: Once = Once::new();

/// From this age on, which is that of the schedule's end, a message waits for nothing any more: not for a place, nor for
/// a fault of ours to be mended. Each is a failed try.
const WAITS_MAX: SignedDuration = SignedDuration::from_hours(4 * 24);

/// How often, and after what pause, it is tried to write down what came of a try: what is not written is said again.
const RECORD_TRIES: usize = 5;
const RECORD_PAUSE: Duration = Duration::from_secs(1);

/// Delivers the message of a task, or does not, and settles the task.
pub(crate) async fn deliver(
    store: &Store,
    courier: &Courier,
    lease: Lease,
    word: &mut watch::Receiver<Word>,
) -> Result<Done, TaskError> {
    let waiting = {
        let client = store.worker().await?;
        webhooks::waiting(&client, lease).await?
    };
    // It was deleted, or is somebody else's now.
    let Some(waiting) = waiting else { return Ok(Done::Finished) };
    if !is_clock_right(waiting.now) {
        return Ok(Done::Snooze(CLOCK_PAUSE));
    }
    let is_old = waiting.now.duration_since(waiting.created_at) > WAITS_MAX;
    let answer = match courier.lanes.enter(waiting.client, &waiting.host) {
        Ok(place) => select! {
            answer = hand_over(store, courier, &waiting, place) => match answer {
                Err(error) if is_old && !error.is_transient() => {
                    tracing::warn!("webhook {} cannot be delivered: {error}", waiting.id);
                    Answer::NotAsked { why: "a fault of ours", wait: Duration::ZERO }
                }
                answer => answer?,
            },
            word = told(word) => {
                return Ok(if word == Word::Lost { Done::Settled } else { Done::HandBack });
            }
        },
        Err(NoPlace::Rests(wait)) => Answer::NotAsked { why: "its host does not answer", wait },
        Err(NoPlace::Taken(wait)) if is_old => Answer::NotAsked { why: "no place was free", wait },
        Err(NoPlace::Taken(wait)) => return Ok(Done::Snooze(wait)),
    };
    let failures = usize::try_from(waiting.attempts).unwrap_or_default();
    record(store, lease, &waiting, &answer.outcome(failures)).await?;
    Ok(Done::Settled)
}

/// `there`: the present moment, as the database has it.
fn is_clock_right(there: Timestamp) -> bool {
    let is_right = there.duration_since(Timestamp::now()).abs() <= CLOCK_MAX;
    if !is_right {
        CLOCK_TOLD.call_once(|| {
            tracing::warn!("no webhooks leave here: the clock differs from the database's by over 5 minutes");
        });
    }
    is_right
}

async fn hand_over(
    store: &Store,
    courier: &Courier,
    waiting: &Waiting,
    place: Place,
) -> Result<Answer, StoreError> {
    let message = Message::open(store.keys(), waiting.id, &waiting.sealed)?;
    let stored = webhooks::secrets(&store.worker().await?, waiting.client).await?;
    let secrets = secrets::open(store.keys(), &stored)?;
    let Message { url, body, is_of_tasks } = &message;
    let (secrets, now, is_of_tasks) = (&*secrets, waiting.now, *is_of_tasks);
    let parcel = Parcel { id: waiting.id, url, body, secrets, now, is_of_tasks };
    let answer = courier.hand_over(&parcel).await;
    match &answer {
        Answer::Http { .. } => place.answered(),
        Answer::Silence(_) | Answer::NotAsked { .. } => place.silent(),
    }
    Ok(answer)
}

/// Ends when there is no more reason to go on.
async fn told(word: &mut watch::Receiver<Word>) -> Word {
    word.wait_for(|word| *word != Word::GoOn).await.map_or(Word::Lost, |word| *word)
}

async fn record(store: &Store, lease: Lease, waiting: &Waiting, outcome: &Outcome) -> Result<(), StoreError> {
    let sealed;
    let recorded = match outcome {
        Outcome::Delivered if is_of_row(waiting.id) => Recorded::Dropped,
        Outcome::Delivered => Recorded::Delivered,
        Outcome::Failed { error, wait } => {
            sealed = store.keys().seal(Row::WebhookError { id: waiting.id }, error.as_bytes());
            match wait {
                Some(wait) => Recorded::PutOff { error: &sealed, wait: *wait },
                None => Recorded::Failed { error: &sealed },
            }
        }
    };
    for _ in 1..RECORD_TRIES {
        match try_record(store, lease, recorded).await {
            Err(error) if error.is_transient() => sleep(RECORD_PAUSE).await,
            done => return done,
        }
    }
    try_record(store, lease, recorded).await
}

async fn try_record(store: &Store, lease: Lease, recorded: Recorded<'_>) -> Result<(), StoreError> {
    webhooks::record(&store.worker().await?, lease, recorded).await
}

#[cfg(test)]
mod tests;
