use std::sync::Arc;
use std::time::{Duration, Instant};

use annals_persistence::{NewEvent, Rejection, Tag, WriteError, WriteEvents};
use annals_postgres::{ErrorClass, Pool, PoolError, classify};
use dashmap::DashMap;
use thiserror::Error;
use tokio::time::timeout_at;

/// The numbers of the tags: rows hold numbers, users words. A number never changes, so what is
/// known once is known for ever.
#[derive(Clone, Debug)]
pub(crate) struct TagIds {
    known: Arc<DashMap<Tag, i32>>,
    pool: Pool,
    patience: Duration,
}

/// The tags of each event of a write as PostgreSQL writes an array; empty where no event has any.
pub(crate) type TagLiterals = Vec<String>;

/// Served by `tags_name_idx`. Not `insert … on conflict` at once: that burns a number for each tag
/// that is there already.
pub(crate) const LOOK_UP: &str = "select name, id from tags where name = any($1)";

/// Two processes may insert the same tag at once; the one that comes second looks it up again.
pub(crate) const INSERT: &str =
    "insert into tags (name) select unnest($1::text[]) on conflict (name) do nothing";

impl TagIds {
    pub(crate) fn new(pool: Pool, patience: Duration) -> Self {
        Self {
            known: Arc::new(DashMap::new()),
            pool,
            patience,
        }
    }

    /// The literals of all events, if every tag is known.
    pub(crate) fn known(&self, events: &[NewEvent]) -> Option<TagLiterals> {
        if events.iter().all(|event| event.tags.is_empty()) {
            return Some(Vec::new());
        }
        events.iter().map(|event| self.literal(event)).collect()
    }

    /// The same, after giving numbers to those that have none yet.
    pub(crate) async fn assign(&self, write: &WriteEvents) -> Result<TagLiterals, WriteError> {
        let begin = Instant::now();
        self.learn_within_patience(&write.events)
            .await
            .map_err(|error| error.concerning(write, begin.elapsed()))?;
        self.known(&write.events).ok_or_else(|| {
            let lost = Rejection::refused(TagError::Vanished);
            WriteError::rejected(write, lost)
        })
    }

    /// Tries again when a connection is lost or none is to be had; a tag that has its number keeps
    /// it.
    async fn learn_within_patience(&self, events: &[NewEvent]) -> Result<(), TagError> {
        let waited = self.patience;
        let deadline = Instant::now() + waited;
        loop {
            match timeout_at(deadline.into(), self.learn(events)).await {
                Ok(Err(error)) if error.may_pass() && Instant::now() < deadline => {
                    tracing::warn!(error = %error, "no numbers for new tags, trying again");
                }
                Ok(result) => return result,
                Err(_) => return Err(TagError::NoAnswer { waited }),
            }
        }
    }

    async fn learn(&self, events: &[NewEvent]) -> Result<(), TagError> {
        let mut missing: Vec<&str> = events
            .iter()
            .flat_map(|event| &event.tags)
            .filter(|tag| !self.known.contains_key(tag))
            .map(Tag::as_str)
            .collect();
        missing.sort_unstable();
        missing.dedup();
        let missing = self.look_up(missing).await?;
        if missing.is_empty() {
            return Ok(());
        }
        let reader = self.pool.get().await?;
        let insert = reader.prepared(INSERT).await?;
        reader.execute(&insert, &[&missing]).await?;
        drop(reader);
        self.look_up(missing).await?;
        Ok(())
    }

    /// Gives back what is not there.
    async fn look_up<'a>(&self, names: Vec<&'a str>) -> Result<Vec<&'a str>, TagError> {
        let reader = self.pool.get().await?;
        let look_up = reader.prepared(LOOK_UP).await?;
        for row in reader.query(&look_up, &[&names]).await? {
            let (name, id): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            let Ok(id) = i32::try_from(id) else {
                return Err(TagError::TooLarge { name, id });
            };
            if let Ok(tag) = Tag::new(name) {
                self.known.insert(tag, id);
            }
        }
        let unknown = |name: &&str| Tag::new(*name).is_ok_and(|tag| !self.known.contains_key(&tag));
        Ok(names.into_iter().filter(unknown).collect())
    }

    fn literal(&self, event: &NewEvent) -> Option<String> {
        let mut literal = String::from("{");
        for (position, tag) in event.tags.iter().enumerate() {
            if position > 0 {
                literal.push(',');
            }
            literal.push_str(&self.known.get(tag)?.to_string());
        }
        literal.push('}');
        Some(literal)
    }
}

#[derive(Debug, Error)]
enum TagError {
    #[error("no connection")]
    Pool(#[from] PoolError),
    #[error("the table tags cannot be read or written")]
    Query(#[from] tokio_postgres::Error),
    #[error("the tag {name:?} has the number {id}, but rows hold 32 bits; use fewer, coarser tags")]
    TooLarge { name: String, id: i64 },
    #[error("a tag was given a number and is gone again; somebody deletes from the table tags")]
    Vanished,
    #[error(
        "new tags got no number within {waited:?}; see that the server can be reached and has connections to give, \
         and look for a lock on the table tags"
    )]
    NoAnswer { waited: Duration },
}

impl TagError {
    /// Whether another try can turn out better: the pool opens connections anew, and paces that.
    fn may_pass(&self) -> bool {
        match self {
            Self::Pool(error) => !matches!(error, PoolError::Connect { .. }),
            Self::Query(error) => matches!(
                classify(error),
                ErrorClass::ConnectionLost | ErrorClass::Retryable
            ),
            Self::TooLarge { .. } | Self::Vanished | Self::NoAnswer { .. } => false,
        }
    }

    /// Nothing of the write was sent in any of these cases.
    fn concerning(self, write: &WriteEvents, waited: Duration) -> WriteError {
        match self {
            Self::TooLarge { .. } | Self::Vanished => {
                WriteError::rejected(write, Rejection::refused(self))
            }
            Self::Pool(_) | Self::Query(_) | Self::NoAnswer { .. } => WriteError::Unavailable {
                persistence_id: write.persistence_id.clone(),
                waited,
                source: Arc::new(self),
            },
        }
    }
}
