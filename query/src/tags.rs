use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use annals_persistence::{Tag, TagExpression};
use annals_postgres::Pool;

use crate::read_error::ReadError;
use crate::rows::rows;

/// The numbers of tags that were found; a number never changes.
#[derive(Clone, Debug)]
pub(crate) struct TagNumbers {
    pool: Pool,
    found: Arc<RwLock<HashMap<Tag, i32>>>,
}

/// Served by `tags_name_idx`. Rows hold 32 bits; a larger number is on no row.
pub(crate) const LOOK_UP: &str =
    "select name, id::int from tags where name = any($1) and id <= 2147483647";

impl TagNumbers {
    pub(crate) fn new(pool: Pool) -> Self {
        Self {
            pool,
            found: Arc::default(),
        }
    }

    /// The numbers of those tags that some event has carried.
    pub(crate) async fn of(
        &self,
        expression: &TagExpression,
    ) -> Result<HashMap<Tag, i32>, ReadError> {
        let (mut numbers, mut unknown) = (HashMap::new(), Vec::new());
        for tag in expression.tags() {
            match self.known(tag) {
                Some(number) => drop(numbers.insert(tag.clone(), number)),
                None => unknown.push(tag),
            }
        }
        if unknown.is_empty() {
            return Ok(numbers);
        }
        let names: Vec<&str> = unknown.iter().map(|tag| tag.as_str()).collect();
        for row in rows(&self.pool, LOOK_UP, &[&names]).await? {
            let (name, number): (&str, i32) = (row.try_get(0)?, row.try_get(1)?);
            if let Some(tag) = unknown.iter().find(|tag| tag.as_str() == name) {
                self.keep(tag, number);
                numbers.insert((*tag).clone(), number);
            }
        }
        Ok(numbers)
    }

    fn known(&self, tag: &Tag) -> Option<i32> {
        self.found.read().ok()?.get(tag).copied()
    }

    fn keep(&self, tag: &Tag, number: i32) {
        if let Ok(mut found) = self.found.write() {
            found.insert(tag.clone(), number);
        }
    }
}
