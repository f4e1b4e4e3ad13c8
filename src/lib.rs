#![doc = include_str!("docs/annals.md")]

mod annals;
mod error;
mod options;

pub use annals_journal::{
    Import, ImportError, ImportEvent, ImportFailure, Imported, JournalSettings, StartError,
};
pub use annals_persistence::{
    AskError, Backoff, Batches, Bincode, BreakerSettings, BreakerState, CircuitBreaker, Codec,
    CodecError, CommandError, DeleteError, DeleteEvents, Effect, Entities, EntityContext,
    EntityError, EntityRef, EntitySettings, EventEnvelope, EventSeq, EventSourced, EventStream,
    Incarnation, InvalidPersistenceId, InvalidSequenceNumber, InvalidSlice, InvalidSliceRange,
    InvalidTag, JournalCapacity, JournalMessage, JournalRef, Json, MessagePack, Metadata, NewEvent,
    Offset, Outcome, Passed, Payload, PersistenceId, PersistenceIdStream, QueryError, QueryMessage,
    QueryRef, Raw, ReaderPositions, Recovered, Recovery, RecoveryError, Rejection, ReplaceError,
    ReplaceEvent, Replay, ReplayError, ReplayEvents, ReplayFilter, ReplayFilterError,
    ReplayFilterMode, Reply, Retention, SaveSnapshot, SelectedSnapshot, SelfDescribing,
    SequenceNumber, SerializerId, Signal, Slice, SliceRange, SnapshotCriteria, SnapshotError,
    SnapshotMessage, SnapshotRef, StashFull, Stores, Tag, Tags, Text, Timestamp, UpcastFailure,
    Upcasters, WriteError, WriteEvents, WriterId,
};
// Which events, and which persistence ids, a query gives.
pub use annals_persistence::{
    IdSelection, InvalidTagExpression, Selection, TagExpression, TagTerm,
};
// Where missing events went.
pub use annals_persistence::{Fate, Hole};
// States without events.
pub use annals_persistence::{
    ChangesOf, DeleteState, DurableState, DurableStateChange, DurableStateMessage, DurableStateRef,
    DurableStateStream, InvalidRevision, Revision, StateContext, StateEffect, StateReadError,
    StateRejection, StateSignal, StateWriteError, StoredState, UpsertState,
};
pub use annals_postgres::{
    ConnectError, Connection, InvalidSettings, Layout, MigrateError, NewJournal, PrivateServer,
    PrivateServerError, Settings, ShapeError, connect,
};
// Projections; the rest of them is in `annals::projection`.
pub use annals_projection::{
    self as projection, EventHandler, Handled, OnFailure, Projection, Projections,
    TransactionHandler,
};
pub use annals_query::{DeclareError, metric_names};
pub use ractor;
pub use tokio_postgres;

pub use annals::Annals;
pub use error::OpenError;
pub use options::Options;
