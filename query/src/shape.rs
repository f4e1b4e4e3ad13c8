use std::sync::Arc;

use annals_postgres::{JournalShape, Reader, ShapeError};
use tokio::sync::OnceCell;

/// How the journal is divided, read when the first query wants to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownShape(Arc<OnceCell<JournalShape>>);

impl KnownShape {
    pub(crate) async fn get(&self, reader: &Reader<'_>) -> Result<&JournalShape, ShapeError> {
        self.0.get_or_try_init(|| reader.journal_shape()).await
    }
}
