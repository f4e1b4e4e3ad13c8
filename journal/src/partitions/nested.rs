mod home;

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};

use annals_persistence::PersistenceId;
use annals_postgres::{Connection, ErrorClass, JournalShape, classify};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::bounds::{Missing, missing};
use super::ddl::{BEGIN, attach_history, attach_part};
use super::names::{part, partition};
use home::{Home, foreign_home, homes};

/// Keeps a partition a persistence id, divided by range of sequence number.
pub(super) struct Nested {
    shape: JournalShape,
}

/// Persistence ids of one transaction: it holds some twenty locks for each.
const AT_ONCE: usize = 50;

/// Names that are tried, of which all but the last belong to something else.
pub(super) const NAMES: u32 = 4;

type Wanted<'a> = (&'a PersistenceId, &'a RangeInclusive<i64>);

impl Nested {
    pub(super) const fn new(shape: JournalShape) -> Self {
        Self { shape }
    }

    /// Room for these sequence numbers. What can be made is made, whatever becomes of the rest.
    pub(super) async fn make(
        &self,
        connection: &Connection,
        wanted: &HashMap<PersistenceId, RangeInclusive<i64>>,
    ) -> Result<(), Error> {
        let wanted: Vec<Wanted> = wanted.iter().collect();
        let mut refused = None;
        for some in wanted.chunks(AT_ONCE) {
            let Err(error) = self.make_together(connection, some).await else {
                continue;
            };
            if !concerns_one(&error) {
                return Err(error);
            }
            connection.batch_execute("rollback").await?;
            for one in some {
                if let Err(error) = self.make_alone(connection, *one).await {
                    connection.batch_execute("rollback").await?;
                    refused.get_or_insert(error);
                }
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// One transaction, for as long as all goes well.
    async fn make_together(
        &self,
        connection: &Connection,
        wanted: &[Wanted<'_>],
    ) -> Result<(), Error> {
        if self.sql(connection, wanted).await?.is_empty() {
            return Ok(());
        }
        connection.batch_execute(BEGIN).await?;
        // Another process may have been faster.
        let sql = self.sql(connection, wanted).await?;
        connection.batch_execute(&sql).await?;
        connection.batch_execute("commit").await
    }

    async fn sql(&self, connection: &Connection, wanted: &[Wanted<'_>]) -> Result<String, Error> {
        let ids: Vec<&str> = wanted.iter().map(|(id, _)| id.as_str()).collect();
        let mut homes = homes(connection, &self.shape.partition_prefix, &ids).await?;
        let each = wanted.iter().map(|(id, numbers)| {
            self.sql_for_one(id.as_str(), numbers, homes.remove(id.as_str()).as_ref(), 0)
        });
        Ok(each.collect())
    }

    /// For what another has made and named, and for names that are taken.
    async fn make_alone(&self, connection: &Connection, wanted: Wanted<'_>) -> Result<(), Error> {
        let (id, numbers) = (wanted.0.as_str(), wanted.1);
        let mut foreign = None;
        let mut attempt = 0;
        loop {
            connection.batch_execute(BEGIN).await?;
            let mut homes = homes(connection, &self.shape.partition_prefix, &[id]).await?;
            let home = homes.remove(id).or_else(|| foreign.take());
            let sql = self.sql_for_one(id, numbers, home.as_ref(), attempt);
            let Err(error) = connection.batch_execute(&sql).await else {
                return connection.batch_execute("commit").await;
            };
            connection.batch_execute("rollback").await?;
            if is_overlap(&error) && home.is_none() {
                foreign = foreign_home(connection, id).await?;
                if foreign.is_none() {
                    return Err(error);
                }
            } else if attempt + 1 < NAMES && (is_taken(&error) || is_overlap(&error)) {
                attempt += 1;
                foreign = match home {
                    Some(Home { by_name: false, .. }) => foreign_home(connection, id).await?,
                    _ => None,
                };
            } else {
                return Err(error);
            }
        }
    }

    /// Nothing where there is room already.
    fn sql_for_one(
        &self,
        id: &str,
        numbers: &RangeInclusive<i64>,
        home: Option<&Home>,
        attempt: u32,
    ) -> String {
        let prefix = &self.shape.partition_prefix;
        let mut partition = partition(prefix, id, attempt);
        if let (0, Some(home)) = (attempt, home) {
            // The JVM plugin calls the parts of a partition by its name.
            partition.clone_from(&home.name);
        }
        let parts = |existing: &[Range<i64>]| -> Vec<(String, Range<i64>)> {
            let missing = self.missing(existing, numbers).into_iter();
            missing
                .map(|missing| {
                    (
                        self.name_of(id, &partition, &missing, attempt),
                        missing.range,
                    )
                })
                .collect()
        };
        match home {
            None => attach_history(&partition, id, &parts(&[])),
            Some(home) if !home.is_divided => String::new(),
            Some(home) => parts(&home.parts)
                .iter()
                .map(|(name, range)| attach_part(&home.table, name, range))
                .collect(),
        }
    }

    fn missing(&self, existing: &[Range<i64>], numbers: &RangeInclusive<i64>) -> Vec<Missing> {
        let size = self.shape.partition_size;
        let slots = numbers.end().div_euclid(size) - numbers.start().div_euclid(size);
        let slots = u32::try_from(slots).unwrap_or(u32::MAX);
        missing(existing, *numbers.start(), size, slots)
    }

    /// A piece that parts of another size leave is not what the JVM plugin means by the number.
    fn name_of(&self, id: &str, whole: &str, missing: &Missing, attempt: u32) -> String {
        let prefix = &self.shape.partition_prefix;
        match missing.number {
            Some(number) => part(prefix, id, whole, number),
            None => {
                let piece = partition(prefix, id, NAMES + attempt);
                part(prefix, id, &piece, missing.range.start)
            }
        }
    }
}

/// Whether the others of a transaction may do better without the one that it failed for.
fn concerns_one(error: &Error) -> bool {
    !matches!(
        classify(error),
        ErrorClass::ConnectionLost
            | ErrorClass::Retryable
            | ErrorClass::Denied
            | ErrorClass::Missing
            | ErrorClass::ReadOnly
    )
}

/// Something else has the name.
fn is_taken(error: &Error) -> bool {
    [SqlState::DUPLICATE_TABLE, SqlState::DUPLICATE_OBJECT]
        .iter()
        .any(|taken| error.code() == Some(taken))
}

/// There is a partition for these values.
fn is_overlap(error: &Error) -> bool {
    error.code() == Some(&SqlState::INVALID_OBJECT_DEFINITION)
}
