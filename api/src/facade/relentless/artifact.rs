//! The artifact of a job: all of it and of its items, as it was told at its end. It does not change after that, unless
//! somebody who wants it is forgotten.
//!
//! ```json
//! {"job":Job,"items":[JobItem,…]}
//! ```

use std::collections::{BTreeMap, HashMap};

use super::{
    item::JobItem,
    job::{Callback, Closing, Job},
    terms::Terms,
};
use crate::store::{StoreError, jobs::JobRow};

/// What stands before the items, and behind them.
const ITEMS: &str = ",\"items\":[";
const END: &str = "]}";

/// The beginning of the artifact, up to its items. `closing`: as it was at the job's end.
pub(crate) fn head(
    job: &JobRow,
    terms: &Terms,
    url: Option<String>,
    closing: &Closing,
) -> Result<Vec<u8>, StoreError> {
    let job = as_at_end(job, terms, url, closing.clone());
    let mut text = b"{\"job\":".to_vec();
    write(&mut text, &job)?;
    text.extend_from_slice(ITEMS.as_bytes());
    Ok(text)
}

/// The next item. `is_first`: there is none before it.
pub(crate) fn item(text: &mut Vec<u8>, item: &JobItem, is_first: bool) -> Result<(), StoreError> {
    if !is_first {
        text.push(b',');
    }
    write(text, item)
}

/// The end of the artifact, behind its items.
pub(crate) fn end() -> &'static [u8] {
    END.as_bytes()
}

/// The job as it is told at its end: nobody has taken the news of that yet, and nothing is deleted.
pub(crate) fn as_at_end(job: &JobRow, terms: &Terms, url: Option<String>, closing: Closing) -> Job {
    let job = JobRow { pruned_at: None, is_expired: false, ..job.clone() };
    Job::of(&job, terms, job.counts.as_deref().unwrap_or_default(), Callback::untold(url), Some(closing))
}

fn write(text: &mut Vec<u8>, value: &impl serde::Serialize) -> Result<(), StoreError> {
    serde_json::to_writer(text, value).map_err(|error| StoreError::Refused(error.to_string().into()))
}

/// What is written down of a job's end, gathered of its items in any order. Of each no more is kept than is counted.
#[derive(Default)]
pub(crate) struct Sum {
    /// Octets, and who ran the mail hosts.
    of_rows: HashMap<u32, (usize, Option<String>)>,
}

impl Sum {
    /// A row has this verdict, whatever it had before.
    pub(crate) fn take(&mut self, row: u32, item: &JobItem) -> Result<(), StoreError> {
        let mut text = Vec::new();
        write(&mut text, item)?;
        self.of_rows.insert(row, (text.len(), item.provider.clone()));
        Ok(())
    }

    /// Whether anything is known of a row.
    pub(crate) fn knows(&self, row: u32) -> bool {
        self.of_rows.contains_key(&row)
    }

    /// The whole. `job`: as it is when it has ended.
    pub(crate) fn close(
        self,
        job: &JobRow,
        terms: &Terms,
        url: Option<String>,
    ) -> Result<Closing, StoreError> {
        let mut providers: BTreeMap<String, u32> = BTreeMap::new();
        let (mut octets, rows) = (0, self.of_rows.len());
        for (length, provider) in self.of_rows.into_values() {
            octets += length;
            if let Some(provider) = provider {
                *providers.entry(provider).or_default() += 1;
            }
        }
        let closing = Closing { providers, artifact_size: Some(0) };
        let fixed = head(job, terms, url, &closing)?.len() + END.len() + rows.saturating_sub(1);
        // The size stands in the artifact too, where one digit is written of it so far.
        let without = fixed + octets - 1;
        let size = (1..=u32::MAX.to_string().len()).map(|digits| without + digits);
        let size = size.into_iter().find(|size| without + size.to_string().len() == *size);
        Ok(Closing { artifact_size: size.and_then(|size| u32::try_from(size).ok()), ..closing })
    }
}
