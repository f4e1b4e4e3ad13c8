//! What a query does: reads events of many entities, in an order that live and replayed reading
//! share, each event once.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use ractor::DerivedActorRef;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::{EventEnvelope, InvalidTag, Offset, PersistenceId, SequenceNumber, SharedError, Tag};

/// What a query actor understands. What it finds goes into `sink`, batch by batch, in order; a sink
/// that is full makes the reading wait, one that is closed ends it.
#[derive(Debug)]
pub enum QueryMessage {
    /// Every persistence id that has an event, each once.
    PersistenceIds {
        /// Whether to go on with ids that are new.
        tail: Tail,
        /// Where they go.
        sink: mpsc::Sender<Result<Vec<PersistenceId>, QueryError>>,
    },
    /// Events of one persistence id, by sequence number.
    EventsByPersistenceId {
        /// Whose events.
        persistence_id: PersistenceId,
        /// The first one wanted.
        from: SequenceNumber,
        /// The last one wanted.
        to: SequenceNumber,
        /// Whether to go on with events that are new.
        tail: Tail,
        /// Where they go.
        sink: mpsc::Sender<EventBatch>,
    },
    /// Events that carry a tag, by offset.
    EventsByTag {
        /// The tag.
        tag: Tag,
        /// Only what lies behind.
        after: Offset,
        /// Whether to go on with events that are new.
        tail: Tail,
        /// Where they go.
        sink: mpsc::Sender<EventBatch>,
    },
}

/// What a query does once it has read what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// It ends. Every event that was acknowledged before the query is in it.
    Current,
    /// It waits for more, for ever.
    Live,
}

/// Some events in order, or why there are no more.
pub type EventBatch = Result<Vec<EventEnvelope>, QueryError>;

/// Batches that may lie between the reader of the store and the reader of the stream.
const BATCHES_AHEAD: usize = 2;

/// Queries over one journal, whichever actor stands behind them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct QueryRef {
    actor: DerivedActorRef<QueryMessage>,
}

impl QueryRef {
    /// The queries behind `actor`.
    pub const fn new(actor: DerivedActorRef<QueryMessage>) -> Self {
        Self { actor }
    }

    /// Every persistence id that has an event now, each once.
    pub fn current_persistence_ids(&self) -> PersistenceIdStream {
        self.ids(Tail::Current)
    }

    /// Every persistence id that has an event, and then each new one; never ends.
    pub fn persistence_ids(&self) -> PersistenceIdStream {
        self.ids(Tail::Live)
    }

    /// The events of one persistence id from sequence number `from` to `to` that are there now.
    pub fn current_events_by_persistence_id(
        &self,
        persistence_id: &PersistenceId,
        from: SequenceNumber,
        to: SequenceNumber,
    ) -> EventStream {
        self.by_persistence_id(persistence_id, from, to, Tail::Current)
    }

    /// The same, and then each new one until `to` is reached.
    pub fn events_by_persistence_id(
        &self,
        persistence_id: &PersistenceId,
        from: SequenceNumber,
        to: SequenceNumber,
    ) -> EventStream {
        self.by_persistence_id(persistence_id, from, to, Tail::Live)
    }

    /// The events behind `after` that carry `tag` and are there now. A tag that no event ever
    /// carried is an error, so that a misspelt one is noticed.
    pub fn current_events_by_tag(&self, tag: &str, after: Offset) -> EventStream {
        self.by_tag(tag, after, Tail::Current)
    }

    /// The events behind `after` that carry `tag`, and then each new one; never ends. A tag that no
    /// event carries yet is waited for.
    pub fn events_by_tag(&self, tag: &str, after: Offset) -> EventStream {
        self.by_tag(tag, after, Tail::Live)
    }

    /// Ends every stream and stops.
    pub async fn stop(&self) {
        // An actor that has stopped already is what was asked for.
        let _ = self.actor.get_cell().stop_and_wait(None, None).await;
    }

    fn ids(&self, tail: Tail) -> PersistenceIdStream {
        self.stream(|sink| QueryMessage::PersistenceIds { tail, sink })
    }

    fn by_persistence_id(
        &self,
        persistence_id: &PersistenceId,
        from: SequenceNumber,
        to: SequenceNumber,
        tail: Tail,
    ) -> EventStream {
        let persistence_id = persistence_id.clone();
        self.stream(|sink| QueryMessage::EventsByPersistenceId {
            persistence_id,
            from,
            to,
            tail,
            sink,
        })
    }

    fn by_tag(&self, tag: &str, after: Offset, tail: Tail) -> EventStream {
        match Tag::new(tag) {
            Ok(tag) => self.stream(|sink| QueryMessage::EventsByTag {
                tag,
                after,
                tail,
                sink,
            }),
            Err(error) => Batches::failed(error.into()),
        }
    }

    fn stream<T>(
        &self,
        message: impl FnOnce(mpsc::Sender<Result<Vec<T>, QueryError>>) -> QueryMessage,
    ) -> Batches<T> {
        let (sink, source) = mpsc::channel(BATCHES_AHEAD);
        match self.actor.send_message(message(sink)) {
            Ok(()) => Batches::from(source),
            Err(_) => Batches::failed(QueryError::Stopped),
        }
    }
}

/// Events one by one, read ahead in batches. Drop it to end the query.
///
/// After an error the stream ends; a new one from the offset of the last event goes on behind it.
pub type EventStream = Batches<EventEnvelope>;

/// Persistence ids one by one, read ahead in batches. Drop it to end the query.
pub type PersistenceIdStream = Batches<PersistenceId>;

/// Items one by one out of batches.
#[derive(Debug)]
pub struct Batches<T, E = QueryError> {
    ready: VecDeque<Result<T, E>>,
    source: Option<mpsc::Receiver<Result<Vec<T>, E>>>,
}

impl<T, E> Batches<T, E> {
    /// No items, for this reason.
    pub(crate) fn failed(error: E) -> Self {
        Self {
            ready: VecDeque::from([Err(error)]),
            source: None,
        }
    }
}

impl<T, E> From<mpsc::Receiver<Result<Vec<T>, E>>> for Batches<T, E> {
    fn from(source: mpsc::Receiver<Result<Vec<T>, E>>) -> Self {
        Self {
            ready: VecDeque::new(),
            source: Some(source),
        }
    }
}

impl<T: Unpin, E: Unpin> Stream for Batches<T, E> {
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Poll::Ready(Some(item));
            }
            let Some(source) = &mut self.source else {
                return Poll::Ready(None);
            };
            match std::task::ready!(source.poll_recv(context)) {
                Some(Ok(batch)) => self.ready.extend(batch.into_iter().map(Ok)),
                Some(Err(error)) => {
                    self.ready.push_back(Err(error));
                    self.source = None;
                }
                None => self.source = None,
            }
        }
    }
}

/// Why a query ended before its end.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The store did not answer.
    #[error("the journal cannot be read; see the cause, then go on from the last offset")]
    Unavailable {
        /// What the store says.
        source: SharedError,
    },
    /// No event carries the tag.
    #[error(
        "no event ever carried the tag {tag:?}; check its spelling, or read it live to wait for the first one"
    )]
    UnknownTag {
        /// The tag as given.
        tag: String,
    },
    /// The text is no tag.
    #[error(transparent)]
    InvalidTag(#[from] InvalidTag),
    /// A row is not what a journal holds.
    #[error(
        "the row with the ordering {offset} is malformed: {reason}; look at it with: select * from journal where ordering = {offset}"
    )]
    MalformedRow {
        /// Its place.
        offset: Offset,
        /// What is wrong with it.
        reason: String,
    },
    /// The query actor has stopped.
    #[error("the query has stopped; connect again")]
    Stopped,
}
