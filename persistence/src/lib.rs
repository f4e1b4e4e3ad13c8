//! The contract of event-sourced actors: what an entity, a journal, a snapshot store and a query
//! must do, as types, messages and pure functions. No SQL and no sockets live here, so that a
//! store in memory and one on PostgreSQL are held to the same words.
//!
//! Most users meet this crate through `annals`, which re-exports it. Read [`EventSourced`] first;
//! write a store of your own against [`JournalMessage`], [`SnapshotMessage`] and [`QueryMessage`].

mod aftermath;
mod backoff;
mod circuit_breaker;
mod codec;
mod context;
mod durable_state;
mod effect;
mod entities;
mod entity;
mod entity_ref;
mod envelope;
mod event_seq;
mod event_sourced;
mod incarnation;
mod journal;
mod life;
mod metadata;
mod offset;
mod payload;
mod persistence_id;
mod query;
mod reader_positions;
mod recovery;
mod replay_filter;
mod retention;
mod sequence_number;
mod signal;
mod slice;
mod snapshot;
mod stash;
mod tag;
mod tag_expression;
mod timestamp;
mod writer;

pub use backoff::Backoff;
pub use circuit_breaker::{BreakerSettings, BreakerState, CircuitBreaker};
pub use codec::{
    Bincode, Codec, CodecError, Json, MessagePack, Raw, SelfDescribing, Text, UpcastFailure,
    Upcasters,
};
pub use context::EntityContext;
pub use durable_state::{
    ChangesOf, DeleteState, DurableStateChange, DurableStateMessage, DurableStateRef,
    DurableStateStream, InvalidRevision, Revision, StateReadError, StateRejection, StateWriteError,
    StoredState, UpsertState,
};
pub use durable_state::{DurableState, StateContext, StateEffect, StateSignal};
pub use effect::Effect;
pub use entities::{Entities, EntityError, EntitySettings};
pub use entity_ref::{AskError, CommandError, EntityRef, Recovered, Reply};
pub use envelope::EventEnvelope;
pub use event_seq::{EventSeq, EventSeqIter};
pub use event_sourced::EventSourced;
pub use incarnation::{Incarnation, Stores};
pub use journal::{
    BrokenWriters, DeleteError, DeleteEvents, Fate, Hole, JournalCapacity, JournalMessage,
    JournalRef, NewEvent, Outcome, Rejection, ReplaceError, ReplaceEvent, Replay, ReplayBatch,
    ReplayError, ReplayEvents, Whereabouts, WriteError, WriteEvents,
};
pub use metadata::Metadata;
pub use offset::Offset;
pub use payload::{Payload, SerializerId};
pub use persistence_id::{InvalidPersistenceId, PersistenceId};
pub use query::{
    Batches, EventBatch, EventStream, IdSelection, Passed, PersistenceIdStream, QueryError,
    QueryMessage, QueryRef, Selection, Tail,
};
pub use reader_positions::ReaderPositions;
pub use recovery::{Recovery, RecoveryError};
pub use replay_filter::{
    ReplayFilter, ReplayFilterError, ReplayFilterMode, ReplayWindow, ReplayedEvent,
};
pub use retention::Retention;
pub use sequence_number::{InvalidSequenceNumber, SequenceNumber};
pub use signal::Signal;
pub use slice::{InvalidSlice, InvalidSliceRange, Slice, SliceRange};
pub use snapshot::{
    SaveSnapshot, SelectedSnapshot, SnapshotCriteria, SnapshotError, SnapshotMessage, SnapshotRef,
};
pub use stash::StashFull;
pub use tag::{InvalidTag, Tag, Tags};
pub use tag_expression::{InvalidTagExpression, TagExpression, TagTerm};
pub use timestamp::Timestamp;
pub use writer::WriterId;

/// An error of a store, shared by every caller that it concerns.
pub type SharedError = std::sync::Arc<dyn std::error::Error + Send + Sync>;
