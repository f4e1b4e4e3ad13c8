use std::time::SystemTime;

use annals_persistence::{EventEnvelope, Offset, QueryError, QueryRef, Selection, Timestamp};
use annals_postgres::{Connection, Settings, connect};
use futures::TryStreamExt;
use tokio_postgres::Transaction;

use crate::known_tags::{Folded, without};
use crate::{Lag, ProjectionError, ProjectionKey, Status, table};

/// Looks at a version of a projection and tells it what to do, whichever processes run it: what it is
/// told stands in the database. Those who run it follow within a fifth of their lease.
#[derive(Clone, Debug)]
pub struct Control {
    settings: Settings,
    query: QueryRef,
    key: ProjectionKey,
}

/// An event that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its offset.
    pub offset: Offset,
    /// Its persistence id and sequence number; `None` where its row could not be read.
    pub event: Option<(String, i64)>,
    /// What the handler said, and its causes.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was passed over, or last tried again.
    pub given_up_at: SystemTime,
    /// Whether it is to be handled again, and was not yet ([`Control::redrive`]).
    pub redrive: bool,
}

impl Control {
    pub(crate) const fn new(settings: Settings, query: QueryRef, key: ProjectionKey) -> Self {
        Self {
            settings,
            query,
            key,
        }
    }

    /// Nobody runs it from here on, once what is under way is finished and saved; see
    /// [`RangeState::Paused`](crate::RangeState::Paused). Holds for processes that start later, too.
    ///
    /// # Errors
    /// The server cannot be reached, or nobody ever started it.
    pub async fn pause(&self) -> Result<(), ProjectionError> {
        self.known(table::pause(&**self.connect().await?, &self.key).await?)
    }

    /// Ends a pause, and lets ranges go on that a failure stopped.
    ///
    /// # Errors
    /// The server cannot be reached, or nobody ever started it.
    pub async fn resume(&self) -> Result<(), ProjectionError> {
        self.known(table::resume(&**self.connect().await?, &self.key).await?)
    }

    /// Goes on behind this offset, in all ranges: [`Offset::start`] reads everything again. What a
    /// handler is doing at this moment is rolled back, or its offset is not saved. Dead letters of events
    /// that come again are removed.
    ///
    /// # Errors
    /// The server cannot be reached, or nobody ever started it.
    pub async fn reset(&self, to: Offset) -> Result<(), ProjectionError> {
        self.known(table::reset(&**self.connect().await?, &self.key, to).await?)
    }

    /// The same in a transaction of the caller's, which also puts its tables back to where they were
    /// then. Change the tables first: the handlers lock them before the offset, too.
    ///
    /// # Errors
    /// The server refuses, or nobody ever started it.
    pub async fn reset_within(
        &self,
        transaction: &Transaction<'_>,
        to: Offset,
    ) -> Result<(), ProjectionError> {
        self.known(table::reset(transaction, &self.key, to).await?)
    }

    /// Goes on with the first event that was written at `time` or later, and gives the offset before it.
    ///
    /// Events are in the order of their offsets, which is that of their times only as far as the clocks
    /// of their writers agree: take some time off to be sure.
    ///
    /// # Errors
    /// As [`Self::reset`]; and the journal cannot be read.
    pub async fn reset_to_time(&self, time: Timestamp) -> Result<Offset, ProjectionError> {
        let offset = self.offset_before(time).await?;
        self.reset(offset).await?;
        Ok(offset)
    }

    /// Passes over the event before which a range stands ([`LastError::offset`](crate::LastError)): it
    /// goes to the dead letters, and the range goes on behind it.
    ///
    /// # Errors
    /// The server cannot be reached, or no range stands there, any more or at all.
    pub async fn skip(&self, offset: Offset) -> Result<(), ProjectionError> {
        let before = Offset::new(offset.get() - 1);
        let event = match self.first_behind(Selection::all(), before).await {
            Ok(event) => event.filter(|it| it.offset == offset),
            Err(QueryError::MalformedRow { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let event = event.map(|it| {
            let id = it.persistence_id.as_str().to_owned();
            (id, it.sequence_number.get())
        });
        match table::skip(&**self.connect().await?, &self.key, offset, event).await? {
            true => Ok(()),
            false => Err(ProjectionError::NotFailingThere {
                key: self.key.clone(),
                offset,
            }),
        }
    }

    /// How it stands. Looks at the journal for the first event that waits for each range.
    ///
    /// # Errors
    /// The server cannot be reached, or nobody ever started it.
    pub async fn status(&self) -> Result<Status, ProjectionError> {
        let found = table::status(&**self.connect().await?, &self.key).await?;
        let Some((mut status, which)) = found else {
            return Err(self.unknown());
        };
        let whole = status.ranges.len() == 1;
        for range in &mut status.ranges {
            let which = match whole {
                true => which.clone(),
                false => which.clone().within(range.slices),
            };
            let waiting = match self.first_behind(which, range.offset).await {
                Ok(event) => event.map(|it| it.timestamp),
                // It waits, and nobody knows since when.
                Err(QueryError::MalformedRow { .. }) => Some(Timestamp::now()),
                Err(error) => return Err(error.into()),
            };
            range.lag = Lag::of(range.offset, status.newest, waiting, Timestamp::now());
        }
        Ok(status)
    }

    /// Up to `most` events that were passed over, behind `after`, by their offsets.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn dead_letters(
        &self,
        after: Offset,
        most: u32,
    ) -> Result<Vec<DeadLetter>, ProjectionError> {
        let connection = self.connect().await?;
        Ok(table::dead_letters(&**connection, &self.key, after, most.into()).await?)
    }

    /// Gives an event that was passed over to the handler once more, alone: whoever runs its range does so
    /// within a fifth of the lease, before what comes next, and after a pause or a stop once it is
    /// resumed.
    ///
    /// It comes behind events that were written later, those of its own persistence id too: whether the
    /// handler may take it then is for you to say. Once it is dealt with its letter is gone, exactly once
    /// in the transaction of the handler. If it fails again, its letter counts the attempt and stays until
    /// it is asked for again.
    ///
    /// # Errors
    /// The server cannot be reached, or no such event was passed over.
    pub async fn redrive(&self, offset: Offset) -> Result<(), ProjectionError> {
        let connection = self.connect().await?;
        match table::order_redrive(&**connection, &self.key, Some(offset)).await? {
            0 => Err(ProjectionError::NoDeadLetter {
                key: self.key.clone(),
                offset,
            }),
            _ => Ok(()),
        }
    }

    /// The same for all events that were passed over so far, each range in the order of their offsets; it
    /// does nothing else meanwhile. Gives how many they are.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn redrive_all(&self) -> Result<u64, ProjectionError> {
        let connection = self.connect().await?;
        Ok(table::order_redrive(&**connection, &self.key, None).await?)
    }

    /// Makes this version the live one, once it has caught up; gives the one that was live before. It
    /// changes nothing else: both go on, and readers ask [`Projections::live`](crate::Projections::live)
    /// whose results to take.
    ///
    /// # Errors
    /// The server cannot be reached, nobody ever started it, or events wait for it.
    pub async fn switch(&self) -> Result<Option<i32>, ProjectionError> {
        if !self.status().await?.has_caught_up() {
            let key = self.key.clone();
            return Err(ProjectionError::StillBehind { key });
        }
        let mut connection = self.connect().await?;
        let transaction = connection.transaction().await?;
        let before = self.switch_within(&transaction).await?;
        transaction.commit().await?;
        Ok(before)
    }

    /// The same in a transaction of the caller's, which also renames tables; it does not ask whether the
    /// version has caught up.
    ///
    /// # Errors
    /// The server refuses, or nobody ever started it.
    pub async fn switch_within(
        &self,
        transaction: &Transaction<'_>,
    ) -> Result<Option<i32>, ProjectionError> {
        let before = table::live(transaction, &self.key.name).await?;
        self.known(table::switch(transaction, &self.key).await?)?;
        Ok(before)
    }

    /// Removes what is stored of a version that is not live; whoever runs it ends.
    ///
    /// # Errors
    /// The server cannot be reached, nobody ever started it, or it is live.
    pub async fn forget(&self) -> Result<(), ProjectionError> {
        let connection = self.connect().await?;
        if table::forget(&**connection, &self.key).await? {
            return Ok(());
        }
        match table::live(&**connection, &self.key.name).await? {
            Some(version) if version == self.key.version => Err(ProjectionError::Live {
                key: self.key.clone(),
            }),
            _ => Err(self.unknown()),
        }
    }

    async fn connect(&self) -> Result<Box<Connection>, ProjectionError> {
        Ok(Box::new(connect(&self.settings).await?))
    }

    fn known(&self, known: bool) -> Result<(), ProjectionError> {
        match known {
            true => Ok(()),
            false => Err(self.unknown()),
        }
    }

    fn unknown(&self) -> ProjectionError {
        ProjectionError::Unknown {
            key: self.key.clone(),
        }
    }

    async fn first_behind(
        &self,
        mut which: Selection,
        after: Offset,
    ) -> Result<Option<EventEnvelope>, QueryError> {
        loop {
            let found = self
                .query
                .current_events(which.clone(), after)
                .try_next()
                .await;
            let Err(QueryError::UnknownTag { tag }) = &found else {
                return found;
            };
            let slices = Selection::slices(which.slice_range());
            let untagged = match which.entity_type() {
                Some(entity_type) => slices.of_type(entity_type),
                None => slices,
            };
            which = match which.tags().map(|it| without(it.term(), tag)) {
                Some(Folded::When(tags)) => untagged.tagged(tags),
                Some(Folded::Always) => untagged,
                Some(Folded::Never) | None => return Ok(None),
            };
        }
    }

    /// Halves what may hold it, as often as the number of orderings has digits in base 2.
    async fn offset_before(&self, time: Timestamp) -> Result<Offset, ProjectionError> {
        let mut early = 0;
        let mut reach = 1_i64;
        // Doubles until the first event behind is late enough, or there is none.
        while self.is_early_behind(early + reach, time).await? {
            early += reach;
            reach = reach.saturating_mul(2);
        }
        let mut late = early + reach;
        if !self.is_early_behind(early, time).await? {
            late = early;
        }
        while late - early > 1 {
            let middle = early + (late - early) / 2;
            match self.is_early_behind(middle, time).await? {
                true => early = middle,
                false => late = middle,
            }
        }
        Ok(Offset::new(late))
    }

    /// Whether the first event behind this ordering was written before `time`.
    async fn is_early_behind(&self, ordering: i64, time: Timestamp) -> Result<bool, QueryError> {
        let event = self
            .first_behind(Selection::all(), Offset::new(ordering))
            .await?;
        Ok(event.is_some_and(|it| it.timestamp < time))
    }
}
