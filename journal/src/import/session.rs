use std::collections::HashMap;
use std::pin::pin;
use std::time::{Duration, Instant};

use annals_persistence::{Offset, PersistenceId, SequenceNumber, SharedError, Tag};
use annals_postgres::{
    Connection, ErrorClass, JournalShape, Layout, MetadataKeeper, Role, Settings, classify,
    connect_as,
};
use annals_rows::{JsonbText, event_metadata};
use postgres_protocol::escape::escape_literal;
use tokio_postgres::Error;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::chunk::Chunk;
use super::histories::{Histories, Step};
use super::{ImportFailure, Named};
use crate::StartError;
use crate::partitions::{Partitions, Wanted};
use crate::statements::catch_up;
use crate::tag_ids;

/// A connection that stores chunks.
pub(super) struct Session {
    settings: Settings,
    connection: Connection,
    shape: JournalShape,
    partitions: Partitions,
    tags: HashMap<Tag, i32>,
    patience: Duration,
}

/// One would do; the next is made while this one is filled.
const PARTITIONS_AHEAD: u32 = 1;

/// How often a chunk is sent again that lost against another transaction.
const RETRIES: u32 = 5;

const COPY: &str = "\
copy journal (ordering, sequence_number, deleted, persistence_id, message, tags, metadata) from stdin binary";

const COLUMNS: [Type; 7] = [
    Type::INT8,
    Type::INT8,
    Type::BOOL,
    Type::TEXT,
    Type::BYTEA,
    Type::INT4_ARRAY,
    Type::JSONB,
];

/// The number before the first travels in `min_ordering`, as at the gate. Served by the primary key.
const KEEP: &str = "\
insert into journal_metadata as kept (persistence_id, max_sequence_number, max_ordering, min_ordering) \
select id, last, highest, case when first = 1 then lowest else - first end \
from unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::int8[]) as c (id, first, last, lowest, highest) \
order by id \
on conflict (persistence_id) do update set \
  max_sequence_number = excluded.max_sequence_number, \
  max_ordering = greatest(kept.max_ordering, excluded.max_ordering) \
where kept.max_sequence_number = greatest(- excluded.min_ordering, 1) - 1";

/// Served by the index on (persistence_id, sequence_number). What a mark says is deleted was there, also
/// where no row tells of it.
const HIGHEST: &str = "\
select greatest( \
  (select max(sequence_number) from journal where persistence_id = id), \
  (select deleted_to from journal_deletion where persistence_id = id)) \
from unnest($1::text[]) with ordinality as ids (id, place) order by place";

/// The same for one: where each persistence id has a partition of its own, no other is touched.
const HIGHEST_OF_ONE: &str = "\
select greatest( \
  (select max(sequence_number) from journal where persistence_id = $1), \
  (select deleted_to from journal_deletion where persistence_id = $1))";

/// Readers go on, and nobody else writes.
const ALONE: &str = "share row exclusive";

/// "importin" in ASCII, cut to 32 bits, and the table: of imports into a journal one stores at a time.
const ONE_AT_A_TIME: &str =
    "select pg_advisory_xact_lock(1768779887, 'journal'::regclass::oid::int)";

/// Why a chunk is not stored.
enum Unstored {
    Server(Error),
    /// A persistence id does not stand where its events begin.
    Gate,
    Ends(ImportFailure),
}

impl From<Error> for Unstored {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl Session {
    pub(super) async fn open(
        settings: &Settings,
        patience: Duration,
    ) -> Result<Self, ImportFailure> {
        // Planned anew each time: the tables grow from nothing while the statements stay.
        let connection = connect_as(settings, Role::Reader).await?;
        let shape = JournalShape::read(&connection)
            .await
            .map_err(StartError::from)?;
        Ok(Self {
            settings: settings.clone(),
            partitions: Partitions::keep(&shape, settings, PARTITIONS_AHEAD),
            connection,
            shape,
            tags: HashMap::new(),
            patience,
        })
    }

    /// Stores those of the events that are to be stored; gives how many they are.
    pub(super) async fn take(
        &mut self,
        histories: &mut Histories,
        events: Vec<Named>,
    ) -> Result<u64, ImportFailure> {
        let unknown = histories.unknown(events.iter().map(|it| &it.persistence_id));
        for (id, highest) in self.highest(&unknown).await? {
            histories.learn(id, highest);
        }
        let mut chunk = Chunk {
            events: Vec::with_capacity(events.len()),
        };
        for event in events {
            if histories.take(&event)? == Step::Store {
                chunk.events.push(event);
            }
        }
        if !chunk.events.is_empty() {
            self.number_tags(&chunk).await?;
            self.make_room(&chunk).await?;
            self.store(&chunk).await?;
        }
        Ok(chunk.events.len() as u64)
    }

    async fn highest(
        &mut self,
        ids: &[&PersistenceId],
    ) -> Result<Vec<(PersistenceId, SequenceNumber)>, ImportFailure> {
        let deadline = self.deadline();
        loop {
            match highest(&self.connection, self.shape.layout, ids).await {
                Ok(found) => return Ok(found),
                Err(error) => self.mend(error, deadline).await?,
            }
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.patience
    }

    /// A new connection where the old one is lost, so that what only looks can be asked again.
    async fn mend(&mut self, error: Error, deadline: Instant) -> Result<(), ImportFailure> {
        if classify(&error) != ErrorClass::ConnectionLost || Instant::now() > deadline {
            return Err(error.into());
        }
        self.reconnect(deadline).await
    }

    async fn number_tags(&mut self, chunk: &Chunk) -> Result<(), ImportFailure> {
        let tags = chunk.events.iter().flat_map(|it| &it.event.tags);
        let missing = tags.filter(|tag| !self.tags.contains_key(tag));
        let mut missing: Vec<&str> = missing.map(Tag::as_str).collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(());
        }
        let deadline = self.deadline();
        let found = loop {
            match numbers_of(&self.connection, &missing).await {
                Ok(found) => break found,
                Err(error) => self.mend(error, deadline).await?,
            }
        };
        for (tag, number) in found {
            let Ok(small) = i32::try_from(number) else {
                return Err(ImportFailure::TagNumber { tag, number });
            };
            if let Ok(tag) = Tag::new(tag) {
                self.tags.insert(tag, small);
            }
        }
        Ok(())
    }

    async fn make_room(&mut self, chunk: &Chunk) -> Result<(), ImportFailure> {
        if !self.shape.layout.is_partitioned() {
            return Ok(());
        }
        let mut wanted = Wanted::default();
        for event in &chunk.events {
            wanted.add_event(event.persistence_id.clone(), event.sequence_number.get());
        }
        if let (Layout::Ordering, Some(orderings)) = (self.shape.layout, chunk.orderings()) {
            // Partitions are made from the next number on, as far as there are events.
            self.approach(chunk, &orderings).await?;
            let span = orderings[orderings.len() - 1] - orderings[0] + 1;
            wanted.events = u32::try_from(span).unwrap_or(u32::MAX);
        }
        let made = self.partitions.room_for(wanted, self.deadline());
        made.await.map_err(ImportFailure::Unavailable)
    }

    /// Makes the number of the first event the next one.
    async fn approach(&mut self, chunk: &Chunk, orderings: &[i64]) -> Result<(), ImportFailure> {
        let (first, deadline) = (orderings[0], self.deadline());
        loop {
            match self.set_next(first).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(not_above(chunk, first, self.given().await?)),
                Err(error) => self.mend(error, deadline).await?,
            }
        }
    }

    /// Says whether it lies above all that were given.
    async fn set_next(&self, next: i64) -> Result<bool, Error> {
        let set = format!(
            "select setval($1::text::regclass, $2, false) where ({}) < $2",
            self.given_sql()
        );
        let lock = format!("begin; lock table journal in {ALONE} mode");
        self.connection.batch_execute(&lock).await?;
        let moved = self
            .connection
            .execute(&set, &[&self.shape.sequence, &next])
            .await;
        // What the sequence has, it keeps.
        self.connection.batch_execute("rollback").await?;
        Ok(moved? > 0)
    }

    /// Tries again where the connection is lost or others were in the way.
    async fn store(&mut self, chunk: &Chunk) -> Result<(), ImportFailure> {
        let deadline = self.deadline();
        let (mut tries, mut lost, mut caught_up) = (0, false, false);
        loop {
            tries += 1;
            let error = match self.send(chunk, tries > 1, lost).await {
                Ok(()) => return Ok(()),
                Err(Unstored::Ends(failure)) => return Err(failure),
                Err(Unstored::Gate) => None,
                Err(Unstored::Server(error)) => Some(error),
            };
            let class = error.as_ref().map(classify);
            if class == Some(ErrorClass::ConnectionLost)
                || self.connection.batch_execute("rollback").await.is_err()
            {
                if Instant::now() > deadline {
                    return Err(refused(chunk, error));
                }
                self.reconnect(deadline).await?;
                lost = true;
                continue;
            }
            match class {
                Some(ErrorClass::Retryable) if tries <= RETRIES => {}
                Some(ErrorClass::NoPartition)
                    if tries <= RETRIES && chunk.orderings().is_none() =>
                {
                    self.make_room(chunk).await?;
                }
                None | Some(ErrorClass::Duplicate { .. }) => {
                    self.find_taken(chunk).await?;
                    if caught_up || error.is_some() {
                        return Err(refused(chunk, error));
                    }
                    // Somebody wrote events and did not keep the metadata.
                    let ids = chunk.kept(&vec![0; chunk.events.len()]).ids;
                    let catch_up = catch_up(self.shape.layout);
                    self.connection.execute(&catch_up, &[&ids]).await?;
                    caught_up = true;
                }
                Some(ErrorClass::Refused) => return Err(refused(chunk, error)),
                Some(_) => return Err(error.map_or_else(|| refused(chunk, None), Into::into)),
            }
        }
    }

    /// One transaction. Where an earlier one was lost it may have been committed, or be about to be: this
    /// one begins behind it, and then looks.
    async fn send(&self, chunk: &Chunk, again: bool, lost: bool) -> Result<(), Unstored> {
        let own = chunk.orderings();
        // A reader relies on a writer holding this lock before it has a number (docs/reading.md). With
        // numbers from outside nobody else may draw one meanwhile.
        let mode = match own {
            None => "row exclusive",
            Some(_) => ALONE,
        };
        // Says to the trigger of other writers that the metadata is kept here.
        let keeps = match self.shape.metadata {
            MetadataKeeper::Writers => "set local annals.writer = 'on';",
            MetadataKeeper::Nobody | MetadataKeeper::Trigger => "",
        };
        let begin = format!("begin; {keeps} {ONE_AT_A_TIME}; lock table journal in {mode} mode");
        self.connection.batch_execute(&begin).await?;
        if lost && self.is_stored(chunk).await? {
            self.connection.batch_execute("rollback").await?;
            return Ok(());
        }
        let brings = own.is_some();
        let orderings = match own {
            None => self.draw(chunk.events.len()).await?,
            Some(orderings) => {
                self.see_room(chunk, &orderings, again).await?;
                orderings
            }
        };
        self.copy(chunk, &orderings).await?;
        if self.shape.metadata == MetadataKeeper::Writers {
            let kept = chunk.kept(&orderings);
            let columns: [&(dyn ToSql + Sync); 5] = [
                &kept.ids,
                &kept.firsts,
                &kept.lasts,
                &kept.lowest,
                &kept.highest,
            ];
            let moved = self.connection.execute(KEEP, &columns).await?;
            if moved != kept.ids.len() as u64 {
                return Err(Unstored::Gate);
            }
        }
        let commit = self.commit(brings.then(|| orderings[orderings.len() - 1]));
        self.connection.batch_execute(&commit).await?;
        Ok(())
    }

    /// Numbers of the sequence, in ascending order.
    async fn draw(&self, count: usize) -> Result<Vec<i64>, Error> {
        let draw = "select nextval($1::text::regclass) from generate_series(1, $2::int8)";
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = self
            .connection
            .query(draw, &[&self.shape.sequence, &count])
            .await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    /// The numbers that the events bring lie above all that were given; where an earlier try got as far as
    /// the commit, they are those.
    async fn see_room(
        &self,
        chunk: &Chunk,
        orderings: &[i64],
        again: bool,
    ) -> Result<(), Unstored> {
        let (first, last) = (orderings[0], orderings[orderings.len() - 1]);
        let given = self.given().await?;
        match given < first || (again && given == last) {
            true => Ok(()),
            false => Err(Unstored::Ends(not_above(chunk, first, given))),
        }
    }

    /// Moves the sequence behind the numbers that the events bring, in the message that commits them: what
    /// a sequence has been told stays when the transaction is rolled back, and an import that was killed
    /// in between would find its own numbers given.
    fn commit(&self, own: Option<i64>) -> String {
        let Some(last) = own else {
            return "commit".to_owned();
        };
        let sequence = escape_literal(&self.shape.sequence);
        format!("select setval({sequence}::regclass, {last}); commit")
    }

    /// The last number that was given.
    async fn given(&self) -> Result<i64, Error> {
        let row = self.connection.query_one(&self.given_sql(), &[]).await?;
        row.try_get(0)
    }

    fn given_sql(&self) -> String {
        format!(
            "select case when is_called then last_value else last_value - 1 end from {}",
            self.shape.sequence
        )
    }

    async fn copy(&self, chunk: &Chunk, orderings: &[i64]) -> Result<(), Error> {
        let sink = self.connection.copy_in(COPY).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &COLUMNS));
        let mut tags = Vec::<i32>::new();
        for (it, ordering) in chunk.events.iter().zip(orderings) {
            tags.clear();
            let numbers = it.event.tags.iter().filter_map(|tag| self.tags.get(tag));
            tags.extend(numbers.copied());
            let metadata = JsonbText(event_metadata(&it.event, &it.writer, it.timestamp));
            writer
                .as_mut()
                .write(&[
                    ordering,
                    &it.sequence_number.get(),
                    &it.deleted,
                    &it.persistence_id.as_str(),
                    &it.event.payload.bytes.as_ref(),
                    &tags,
                    &metadata,
                ])
                .await?;
        }
        writer.finish().await?;
        Ok(())
    }

    async fn reconnect(&mut self, deadline: Instant) -> Result<(), ImportFailure> {
        let mut pause = Duration::from_millis(10);
        loop {
            match connect_as(&self.settings, Role::Reader).await {
                Ok(connection) => {
                    self.connection = connection;
                    return Ok(());
                }
                Err(error) if Instant::now() + pause > deadline => return Err(error.into()),
                Err(error) => tracing::warn!(error = %error, "no connection, trying again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    /// A chunk is atomic, so its last event stands for all of it.
    async fn is_stored(&self, chunk: &Chunk) -> Result<bool, Error> {
        let (id, number) = chunk.last();
        let highest = highest(&self.connection, self.shape.layout, &[&id]).await?;
        Ok(highest.first().is_some_and(|it| it.1 >= number))
    }

    /// Names the first event whose place somebody has taken, if one has.
    async fn find_taken(&mut self, chunk: &Chunk) -> Result<(), ImportFailure> {
        let kept = chunk.kept(&vec![0; chunk.events.len()]);
        let ids = chunk
            .events
            .iter()
            .map(|it| (it.persistence_id.as_str(), &it.persistence_id));
        let ids: HashMap<&str, &PersistenceId> = ids.collect();
        let ids: Vec<&PersistenceId> = kept.ids.iter().map(|id| ids[id]).collect();
        let found = self.highest(&ids).await?;
        for ((persistence_id, highest), first) in found.into_iter().zip(kept.firsts) {
            if highest.get() >= first {
                return Err(ImportFailure::Taken {
                    persistence_id,
                    sequence_number: SequenceNumber::new(first).unwrap_or_default(),
                    highest,
                });
            }
        }
        Ok(())
    }
}

fn not_above(chunk: &Chunk, first: i64, given: i64) -> ImportFailure {
    let (persistence_id, sequence_number) = chunk.first();
    ImportFailure::Ordering {
        persistence_id,
        sequence_number,
        ordering: Offset::new(first),
        above: Offset::new(given),
    }
}

async fn highest(
    connection: &Connection,
    layout: Layout,
    ids: &[&PersistenceId],
) -> Result<Vec<(PersistenceId, SequenceNumber)>, Error> {
    let mut highest: Vec<Option<i64>> = Vec::with_capacity(ids.len());
    if layout == Layout::Nested {
        let of_one = connection.prepare(HIGHEST_OF_ONE).await?;
        for id in ids {
            let row = connection.query_one(&of_one, &[&id.as_str()]).await?;
            highest.push(row.try_get(0)?);
        }
    } else if !ids.is_empty() {
        let texts: Vec<&str> = ids.iter().map(|it| it.as_str()).collect();
        for row in connection.query(HIGHEST, &[&texts]).await? {
            highest.push(row.try_get(0)?);
        }
    }
    let number = |number: Option<i64>| SequenceNumber::new(number.unwrap_or(0)).unwrap_or_default();
    let ids = ids.iter().copied().cloned();
    Ok(ids.zip(highest.into_iter().map(number)).collect())
}

/// The numbers of these tags, which get one where they have none. First a look, for an insert burns a
/// number for each tag that is there.
async fn numbers_of(connection: &Connection, tags: &[&str]) -> Result<Vec<(String, i64)>, Error> {
    let mut rows = connection.query(tag_ids::LOOK_UP, &[&tags]).await?;
    if rows.len() < tags.len() {
        connection.execute(tag_ids::INSERT, &[&tags]).await?;
        rows = connection.query(tag_ids::LOOK_UP, &[&tags]).await?;
    }
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

/// The server counts the lines of a copy, and names the one that it refuses in its context, in whatever
/// language: the first number there.
fn refused(chunk: &Chunk, error: Option<Error>) -> ImportFailure {
    let Some(error) = error else {
        return ImportFailure::RefusedChunk {
            first: chunk.first(),
            last: chunk.last(),
            source: SharedError::from(Box::from(
                "journal_metadata does not stand where the events end, and nobody keeps it",
            )),
        };
    };
    let context = error.as_db_error().and_then(|it| it.where_());
    let line = context.filter(|it| it.starts_with("COPY ")).and_then(|it| {
        let digits = it.split(|c: char| !c.is_ascii_digit());
        digits
            .filter(|it| !it.is_empty())
            .find_map(|it| it.parse::<usize>().ok())
    });
    let event = line.and_then(|line| chunk.events.get(line.checked_sub(1)?));
    let source = |error| SharedError::from(Box::from(error));
    match event {
        Some(event) => ImportFailure::Refused {
            persistence_id: event.persistence_id.clone(),
            sequence_number: event.sequence_number,
            source: source(error),
        },
        None => ImportFailure::RefusedChunk {
            first: chunk.first(),
            last: chunk.last(),
            source: source(error),
        },
    }
}
