use std::sync::Arc;

use annals_postgres::{JournalShape, Pool};
use tokio::sync::OnceCell;

use crate::read_error::ReadError;

/// How the journal is divided, read when the first query wants to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownShape(Arc<OnceCell<JournalShape>>);

impl KnownShape {
    pub(crate) async fn get(&self, pool: &Pool) -> Result<&JournalShape, ReadError> {
        let read = async || Ok(pool.get().await?.journal_shape().await?);
        self.0.get_or_try_init(read).await
    }
}
