//! Whether the store can be worked with now: it answers, its schema is the one of this program, and what its clock says.

use deadpool_postgres::GenericClient;
use jiff::Timestamp;

use super::{StoreError, migrations};

pub(super) const NOW: &str = "select clock_timestamp()";

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condition {
    /// The database's clock.
    pub(crate) now: Timestamp,
    /// The schema has all steps that this program knows, and no other.
    pub(crate) is_of_this_program: bool,
}

/// Looks.
pub(crate) async fn look(client: &impl GenericClient) -> Result<Condition, StoreError> {
    let applied = client.prepare_cached(migrations::APPLIED).await?;
    let applied = client.query(&applied, &[]).await?;
    let names: Vec<&str> = applied.iter().map(|row| row.get("name")).collect();
    let now = client.prepare_cached(NOW).await?;
    let now = client.query_one(&now, &[]).await?.get(0);
    Ok(Condition { now, is_of_this_program: migrations::are_those(&names) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    #[tokio::test]
    async fn a_newer_schema_is_noticed_while_it_is_worked_with() {
        let store = testing::store().await;
        let client = store.worker().await.unwrap();
        let condition = look(&client).await.unwrap();
        assert!(condition.is_of_this_program);
        let again = look(&client).await.unwrap();
        assert!(again.now > condition.now, "it is no clock of a transaction");
        client
            .batch_execute("insert into migration (no, name, sha256) values (9999, 'later', '')")
            .await
            .unwrap();
        assert!(!look(&client).await.unwrap().is_of_this_program);
    }
}
