//! A job's chunks one after the other, for who has no room for all at once. Each is of one moment, and all together are
//! not: whoever wants to know whether some were deleted meanwhile asks for the job once more.

use deadpool_postgres::GenericClient;
use uuid::Uuid;

use super::{HEADER, KeptChunk, ending::SEALED};
use crate::store::StoreError;

/// Before the first one.
pub(crate) const BEGINNING: i32 = -1;

pub(in crate::store) const NEXT_CHUNK: &str = "
select no, sealed, dead,
    array(select part.no from part where part.job = chunk.job and part.chunk = chunk.no order by part.no) as part_nos,
    array(select part.sealed from part where part.job = chunk.job and part.chunk = chunk.no order by part.no) as parts
from chunk where job = $1 and no > $2 order by no limit 1";

/// The chunk that follows the one of this number, with the verdicts that it has.
pub(crate) async fn chunk_after(
    client: &impl GenericClient,
    job: Uuid,
    no: i32,
) -> Result<Option<KeptChunk>, StoreError> {
    let next = client.prepare_cached(NEXT_CHUNK).await?;
    let row = client.query_opt(&next, &[&job, &no]).await?;
    Ok(row.map(|row| {
        let (numbers, parts): (Vec<i32>, Vec<Vec<u8>>) = (row.get("part_nos"), row.get("parts"));
        let parts = numbers.into_iter().zip(parts).collect();
        KeptChunk { no: row.get("no"), sealed: row.get("sealed"), is_dead: row.get("dead"), parts }
    }))
}

/// The items of a chunk, sealed; none of one that is gone.
pub(crate) async fn items(
    client: &impl GenericClient,
    job: Uuid,
    no: i32,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sealed = client.prepare_cached(SEALED).await?;
    Ok(client.query_opt(&sealed, &[&job, &no]).await?.map(|row| row.get(0)))
}

/// What is left of a job's rows since they are deleted, sealed.
pub(crate) async fn outcomes(client: &impl GenericClient, job: Uuid) -> Result<Option<Vec<u8>>, StoreError> {
    let header = client.prepare_cached(HEADER).await?;
    Ok(client.query_opt(&header, &[&job]).await?.and_then(|row| row.get("outcomes")))
}
