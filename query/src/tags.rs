use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use annals_persistence::Tag;
use annals_postgres::Pool;

use crate::read_error::ReadError;

/// The numbers of tags that were found; a number never changes.
#[derive(Clone, Debug)]
pub(crate) struct TagNumbers {
    pool: Pool,
    found: Arc<RwLock<HashMap<Tag, i32>>>,
}

/// Served by `tags_name_idx`. Rows hold 32 bits; a larger number is on no row.
pub(crate) const LOOK_UP: &str = "select id::int from tags where name = $1 and id <= 2147483647";

impl TagNumbers {
    pub(crate) fn new(pool: Pool) -> Self {
        Self {
            pool,
            found: Arc::default(),
        }
    }

    /// The number of the tag, or `None` while no event carries it.
    pub(crate) async fn find(&self, tag: &Tag) -> Result<Option<i32>, ReadError> {
        if let Some(number) = self.known(tag) {
            return Ok(Some(number));
        }
        let reader = self.pool.get().await?;
        let look_up = reader.prepared(LOOK_UP).await?;
        let Some(row) = reader.query_opt(&look_up, &[&tag.as_str()]).await? else {
            return Ok(None);
        };
        let number = row.try_get(0)?;
        if let Ok(mut found) = self.found.write() {
            found.insert(tag.clone(), number);
        }
        Ok(Some(number))
    }

    fn known(&self, tag: &Tag) -> Option<i32> {
        self.found.read().ok()?.get(tag).copied()
    }
}
