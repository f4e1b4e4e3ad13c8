use std::fmt;

use annals_persistence::{
    DeleteEvents, DeleteState, PersistenceId, ReplaceEvent, ReplayEvents, SaveSnapshot,
    SnapshotCriteria, UpsertState, WriteEvents,
};

use super::rules::Rules;
use super::{CallFailure, WriteFailure};

/// A call of a store that can be made to fail.
pub trait StoreCall: sealed::Planned {
    /// How it can fail.
    type Failure: Copy + fmt::Debug + Send + 'static;

    /// Whose events or snapshots it is about.
    fn persistence_id(&self) -> &PersistenceId;
}

/// A snapshot is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadSnapshot {
    /// Whose.
    pub persistence_id: PersistenceId,
    /// Which.
    pub criteria: SnapshotCriteria,
}

/// Snapshots are to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteSnapshots {
    /// Whose.
    pub persistence_id: PersistenceId,
    /// Which.
    pub criteria: SnapshotCriteria,
}

/// A durable state is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadState {
    /// Whose.
    pub persistence_id: PersistenceId,
}

/// The rules for each kind of call.
#[derive(Debug, Default)]
pub struct Plans {
    writes: Rules<WriteEvents>,
    replays: Rules<ReplayEvents>,
    deletes: Rules<DeleteEvents>,
    replaces: Rules<ReplaceEvent>,
    snapshot_saves: Rules<SaveSnapshot>,
    snapshot_loads: Rules<LoadSnapshot>,
    snapshot_deletes: Rules<DeleteSnapshots>,
    state_upserts: Rules<UpsertState>,
    state_deletes: Rules<DeleteState>,
    state_reads: Rules<ReadState>,
}

impl Plans {
    pub(super) fn pending(&self) -> usize {
        self.writes.pending()
            + self.replays.pending()
            + self.deletes.pending()
            + self.replaces.pending()
            + self.snapshot_saves.pending()
            + self.snapshot_loads.pending()
            + self.snapshot_deletes.pending()
            + self.state_upserts.pending()
            + self.state_deletes.pending()
            + self.state_reads.pending()
    }
}

mod sealed {
    use super::{Plans, Rules};

    pub trait Planned: Sized + 'static {
        fn rules(plans: &mut Plans) -> &mut Rules<Self>
        where
            Self: super::StoreCall;
    }
}

macro_rules! store_call {
    ($call:ty, $failure:ty, $rules:ident) => {
        impl sealed::Planned for $call {
            fn rules(plans: &mut Plans) -> &mut Rules<Self> {
                &mut plans.$rules
            }
        }

        impl StoreCall for $call {
            type Failure = $failure;

            fn persistence_id(&self) -> &PersistenceId {
                &self.persistence_id
            }
        }
    };
}

store_call!(WriteEvents, WriteFailure, writes);
store_call!(ReplayEvents, CallFailure, replays);
store_call!(DeleteEvents, CallFailure, deletes);
store_call!(ReplaceEvent, CallFailure, replaces);
store_call!(SaveSnapshot, CallFailure, snapshot_saves);
store_call!(LoadSnapshot, CallFailure, snapshot_loads);
store_call!(DeleteSnapshots, CallFailure, snapshot_deletes);
store_call!(UpsertState, WriteFailure, state_upserts);
store_call!(DeleteState, WriteFailure, state_deletes);
store_call!(ReadState, CallFailure, state_reads);
