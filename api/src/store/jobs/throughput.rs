//! How fast jobs were done lately, from their submission to their end: what clients wait for. Whoever is asked about many
//! recipients for counts as that many.

use deadpool_postgres::GenericClient;

use crate::store::StoreError;

/// Of the last thousand jobs, those that were completed within a day. Ids grow with time, so that no more are looked at.
pub(in crate::store) const THROUGHPUT: &str = "
select (sum(greatest(items, asks)) / nullif(extract(epoch from sum(ended_at - created_at)), 0))::float8
from (select state, items, asks, created_at, ended_at from job order by id desc limit 1000) as newest
where state = 'completed' and ended_at > now() - interval '1 day'";

/// Items a second, or recipients, where more of these are asked about; none where nothing was done lately.
pub(crate) async fn throughput(client: &impl GenericClient) -> Result<Option<f64>, StoreError> {
    let throughput = client.prepare_cached(THROUGHPUT).await?;
    Ok(client.query_one(&throughput, &[]).await?.get(0))
}
