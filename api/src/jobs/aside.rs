//! Work that takes milliseconds, for which others of a thread would wait. It goes on when nobody waits for it any more, so
//! what it may hold is bounded by what is moved into it.

use tokio::task::spawn_blocking;

use crate::store::StoreError;

/// Does the work beside the threads that serve.
///
/// # Errors
/// What the work says, or that it panicked.
pub(crate) async fn aside<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    spawn_blocking(work).await.map_err(|_| StoreError::Refused("work beside others panicked".into()))?
}
