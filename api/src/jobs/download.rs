//! The file of a completed job: its table with our columns behind its own, or its list as a table of one column with ours.
//!
//! | | |
//! |---|---|
//! | here | whether there is a file, and what it is made of |
//! | `gather` | the first pass: what is told of each row, from the verdicts |
//! | `told` | how that stands in memory |
//! | `write` | the second pass: the file, a piece after the other, as fast as it is read |
//! | `places` | how many are made at once |
//!
//! The file is made for each reader anew and stands nowhere. The database is asked for one chunk or piece at a time, and
//! nothing is held of it while the client reads.

mod gather;
mod places;
#[cfg(test)]
mod tests;
mod told;
mod write;

use std::{io, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

pub(crate) use self::places::{Place, Places};
use self::{
    told::Told,
    write::{Broken, Source, write},
};
use crate::store::{
    Shared, StoreError,
    jobs::{self, End, JobRow},
};

/// Buffers that wait for the client to read on.
const BUFFERS_MAX: usize = 2;

/// For a file, from the first look at its job to the last octet that is taken: who reads so slowly that the largest upload
/// (20 MB) takes longer, at 6 kB/s, gets no whole one. What has expired is deleted only when this is over.
pub(crate) const DOWNLOAD_MAX: Duration = Duration::from_hours(1);

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoDownload {
    /// It was kept long enough.
    #[error("the results have expired")]
    Expired,
    /// It should be there.
    #[error("the rows of the job are not there")]
    Missing,
    /// The store cannot say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file that only has to be written.
pub(crate) struct Download {
    store: Shared,
    job: JobRow,
    told: Told,
    source: Source,
    safe: bool,
    /// When it must be over.
    until: Instant,
}

impl Download {
    /// Of a job that ended so. `safe`: the client's own cells too are guarded against being run by a spreadsheet.
    pub(crate) async fn prepare(
        store: &Shared,
        job: JobRow,
        end: End,
        safe: bool,
    ) -> Result<Self, NoDownload> {
        let until = Instant::now() + DOWNLOAD_MAX;
        if job.has_expired() {
            return Err(NoDownload::Expired);
        }
        let is_list = job.is_of_list();
        let source = if is_list { Some(Source::List) } else { Source::of_table(store, &job).await? };
        let told = gather::gather(store, &job, end, is_list).await?;
        // What was deleted meanwhile is not told as if it had never been there.
        let still = jobs::job(&store.request().await?, job.id).await?;
        if still.is_none_or(|job| job.pruned_at.is_some()) {
            return Err(NoDownload::Expired);
        }
        let source = source.filter(|_| (1..=told.len()).any(|row| told.is_told(row)));
        let source = source.ok_or(NoDownload::Missing)?;
        Ok(Self { store: store.clone(), job, told, source, safe, until })
    }

    /// Begins to write it, as far as it is read. `held` is dropped when all is over.
    pub(crate) fn start(self, held: impl Send + 'static) -> Octets {
        let (sender, buffers) = mpsc::channel(BUFFERS_MAX);
        tokio::spawn(async move {
            let (job, until) = (self.job.id, self.until);
            let written = timeout_at(until, async {
                let last = match write(self, &sender).await {
                    Ok(()) => Piece::End,
                    Err(error) => {
                        tracing::warn!("the download of job {job} broke off: {error}");
                        Piece::Broken(error)
                    }
                };
                // Nobody may be there any more to hear the last word.
                let _ = sender.send(last).await;
            });
            if written.await.is_err() {
                // Without the last word it has no end.
                tracing::warn!("the download of job {job} broke off: it is read too slowly");
            }
            drop(held);
        });
        Octets(buffers)
    }
}

/// What is handed on of a file.
enum Piece {
    /// The next octets.
    Octets(Vec<u8>),
    /// There are no more.
    End,
    /// There should be more.
    Broken(Broken),
}

/// The octets of a file, which are written as they are taken. Dropped, they are not written any further.
pub(crate) struct Octets(mpsc::Receiver<Piece>);

impl Octets {
    /// The next ones, until there are no more.
    ///
    /// # Errors
    /// There should be more: what came before is no whole file.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.0.recv().await {
            Some(Piece::Octets(octets)) => Ok(Some(octets)),
            Some(Piece::End) => Ok(None),
            Some(Piece::Broken(error)) => Err(io::Error::other(error)),
            None => Err(io::Error::other("whoever writes it is gone")),
        }
    }
}
