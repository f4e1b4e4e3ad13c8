use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use annals_persistence::Tag;
use annals_postgres::Pool;

use crate::read_error::ReadError;
use crate::rows::rows;

/// What the numbers on events stand for; a number never changes its name.
#[derive(Debug)]
pub(super) struct TagNames {
    pool: Pool,
    known: HashMap<i32, Option<Arc<Tag>>>,
}

/// More are forgotten, all together, and asked for again.
const MOST: usize = 100_000;

/// Served by the primary key of `tags`.
pub(crate) const LOOK_UP: &str = "select id::int, name from tags where id = any($1::int[])";

impl TagNames {
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            pool,
            known: HashMap::new(),
        }
    }

    /// Asks for those that are not known yet.
    pub(super) async fn learn(
        &mut self,
        numbers: impl IntoIterator<Item = i32>,
    ) -> Result<(), ReadError> {
        let wanted: HashSet<i32> = numbers.into_iter().collect();
        let is_new = |number: &i32| !self.known.contains_key(number);
        let mut unknown: HashSet<i32> = wanted.iter().copied().filter(is_new).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        if self.known.len() + unknown.len() > MOST {
            // With those of this very batch that were known.
            self.known.clear();
            unknown = wanted;
        }
        let unknown: Vec<i32> = unknown.into_iter().collect();
        let rows = rows(&self.pool, LOOK_UP, &[&unknown]).await?;
        // A number without a name is no tag, however often it comes.
        self.known
            .extend(unknown.into_iter().map(|number| (number, None)));
        for row in rows {
            let name: &str = row.try_get(1)?;
            let tag = Tag::new(name).ok().map(Arc::new);
            self.known.insert(row.try_get(0)?, tag);
        }
        Ok(())
    }

    /// The tags with these numbers, each once.
    pub(super) fn of(&self, numbers: &[i32]) -> Vec<Arc<Tag>> {
        let mut tags: Vec<Arc<Tag>> = Vec::with_capacity(numbers.len());
        for number in numbers {
            if let Some(Some(tag)) = self.known.get(number)
                && !tags.contains(tag)
            {
                tags.push(Arc::clone(tag));
            }
        }
        tags
    }
}
