//! Many events from elsewhere, by COPY: several times as fast as writing them, and for one writer at a
//! time.

mod chunk;
mod error;
mod histories;
mod session;

use std::fmt::Display;
use std::time::Duration;

use annals_persistence::{
    NewEvent, Offset, PersistenceId, SequenceNumber, SharedError, Timestamp, WriterId,
};
use annals_postgres::Settings;
use futures::{Stream, StreamExt};

pub use error::{ImportError, ImportFailure};

use histories::Histories;
use session::Session;

/// An event on its way from another journal into this one.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportEvent<W = WriterId> {
    /// Whose event it is.
    pub persistence_id: PersistenceId,
    /// Its place among the events of that persistence id.
    pub sequence_number: SequenceNumber,
    /// What happened, and what goes with it.
    pub event: NewEvent,
    /// Which incarnation wrote it there: a [`WriterId`], or the text that stands there.
    pub writer: W,
    /// When it was written there.
    pub timestamp: Timestamp,
    /// Whether it was deleted there and its row kept: what the JVM plugin leaves of the last deleted
    /// event. A history whose beginning is gone begins with one such event, or behind the mark that this
    /// journal has in `journal_deletion`.
    pub deleted: bool,
    /// Its place among all events, where that is to stay what it was; then all events must have one, in
    /// ascending order, above all that this journal has given.
    pub ordering: Option<Offset>,
}

/// How far an import has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Events of the stream, from its beginning, that are in the journal for certain.
    pub events: u64,
    /// Of these, events that were there before.
    pub passed_over: u64,
}

/// Puts a stream of events into a journal, in any layout.
///
/// Events of a persistence id come in order and without a hole, behind those that the journal has; events
/// of different ones may be mixed. Each chunk is one transaction: tags get their numbers and partitions
/// are made first, the rows go by `COPY … BINARY`, and `journal_metadata` is kept where the journal keeps
/// it. Entities whose events are imported must not be live.
///
/// Others may write other persistence ids meanwhile; while events bring orderings of their own, writers
/// wait for each chunk.
#[derive(Clone, Debug)]
pub struct Import {
    settings: Settings,
    chunk_events: usize,
    chunk_bytes: usize,
    resumes: bool,
    patience: Duration,
}

impl Import {
    /// Into the journal at `settings`, whose tables are there: chunks of 10,000 events or 8 MiB.
    pub const fn into_journal(settings: Settings) -> Self {
        Self {
            settings,
            chunk_events: 10_000,
            chunk_bytes: 8 * 1024 * 1024,
            resumes: false,
            patience: Duration::from_secs(30),
        }
    }

    /// The most events of one transaction. Two chunks are in memory at a time.
    #[must_use]
    pub const fn chunk_events(mut self, events: usize) -> Self {
        self.chunk_events = if events == 0 { 1 } else { events };
        self
    }

    /// The most bytes of payload of one transaction; a larger event goes alone.
    #[must_use]
    pub const fn chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk_bytes = bytes;
        self
    }

    /// Passes over events whose sequence numbers the journal has already: for an import that was ended
    /// and begins again with the same stream. That they are the same events is not checked.
    #[must_use]
    pub const fn resuming(mut self) -> Self {
        self.resumes = true;
        self
    }

    /// Reads `events` to the end and stores them.
    ///
    /// # Errors
    /// The first event that cannot be stored, or what else ended it. Chunks that were stored before stay:
    /// [`ImportError::imported`] says how many events these are.
    ///
    /// # Cancel safety
    /// What is not committed is rolled back; what is stays. Begin again with [`Self::resuming`].
    pub async fn run<S, E, W>(self, events: S) -> Result<Imported, ImportError>
    where
        S: Stream<Item = Result<ImportEvent<W>, E>>,
        W: Display,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut imported = Imported::default();
        let events = events.map(|it| it.map(Named::of));
        match self.store_all(events, &mut imported).await {
            Ok(()) => Ok(imported),
            Err(reason) => Err(ImportError { imported, reason }),
        }
    }

    async fn store_all<S, E>(&self, events: S, imported: &mut Imported) -> Result<(), ImportFailure>
    where
        S: Stream<Item = Result<Named, E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut events = std::pin::pin!(events);
        let mut session = Session::open(&self.settings, self.patience).await?;
        let mut histories = Histories::new(self.resumes);
        let mut gathered = self.gather(&mut events).await;
        while !gathered.events.is_empty() {
            let Gathered { events: some, end } = gathered;
            let count = some.len() as u64;
            // The next events come while the server works.
            let (stored, next) = tokio::join!(
                session.take(&mut histories, some),
                self.gather_unless(end, &mut events)
            );
            let stored = stored?;
            imported.events += count;
            imported.passed_over += count - stored;
            gathered = next;
        }
        match gathered.end {
            End::Failed(source) => Err(ImportFailure::Source(source)),
            End::NotYet | End::Reached => Ok(()),
        }
    }

    async fn gather_unless<S, E>(&self, end: End, events: &mut S) -> Gathered
    where
        S: Stream<Item = Result<Named, E>> + Unpin,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match end {
            End::NotYet => self.gather(events).await,
            end => Gathered {
                events: Vec::new(),
                end,
            },
        }
    }

    async fn gather<S, E>(&self, events: &mut S) -> Gathered
    where
        S: Stream<Item = Result<Named, E>> + Unpin,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (mut gathered, mut bytes) = (Vec::new(), 0);
        while gathered.len() < self.chunk_events && bytes < self.chunk_bytes {
            match events.next().await {
                Some(Ok(event)) => {
                    bytes += event.event.payload.bytes.len();
                    gathered.push(event);
                }
                Some(Err(error)) => {
                    return Gathered {
                        events: gathered,
                        end: End::Failed(SharedError::from(error.into())),
                    };
                }
                None => {
                    return Gathered {
                        events: gathered,
                        end: End::Reached,
                    };
                }
            }
        }
        Gathered {
            events: gathered,
            end: End::NotYet,
        }
    }
}

/// An event whose writer is what its row will say.
type Named = ImportEvent<String>;

impl Named {
    fn of<W: Display>(event: ImportEvent<W>) -> Self {
        Self {
            persistence_id: event.persistence_id,
            sequence_number: event.sequence_number,
            event: event.event,
            writer: event.writer.to_string(),
            timestamp: event.timestamp,
            deleted: event.deleted,
            ordering: event.ordering,
        }
    }
}

/// Events of the stream, and what comes behind them.
struct Gathered {
    events: Vec<Named>,
    end: End,
}

enum End {
    NotYet,
    Reached,
    Failed(SharedError),
}
