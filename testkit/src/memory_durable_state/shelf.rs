use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use annals_persistence::{
    ChangesOf, DeleteState, DurableStateChange, Offset, PersistenceId, Revision, StoredState,
    UpsertState, WriterId,
};

/// The newest state of each persistence id, and where it stands among the changes.
#[derive(Default)]
pub(super) struct Shelf {
    states: HashMap<PersistenceId, Kept>,
    /// Each persistence id once, at its newest change.
    places: BTreeMap<Offset, PersistenceId>,
    last: i64,
}

struct Kept {
    offset: Offset,
    written: Written,
}

/// A state or the mark of a deletion, and who wrote it.
pub(super) struct Written {
    writer: WriterId,
    state: StoredState,
}

impl Shelf {
    pub(super) fn get(&self, persistence_id: &PersistenceId) -> Option<StoredState> {
        let kept = self.states.get(persistence_id)?;
        Some(kept.written.state.clone())
    }

    /// Puts a state in the place of the one before it; gives the stored revision where it does not
    /// follow that.
    pub(super) fn put(
        &mut self,
        persistence_id: PersistenceId,
        mut written: Written,
    ) -> Result<(), Revision> {
        let before = self.states.get(&persistence_id);
        let stored = before.map_or(Revision::NONE, |kept| kept.written.state.revision);
        let revision = written.state.revision;
        if before.is_some_and(|it| it.written.is_same_as(&written)) {
            return Ok(());
        }
        if revision <= stored || revision.previous() != stored {
            return Err(stored);
        }
        if let Some(before) = before {
            self.places.remove(&before.offset);
            if written.state.is_deleted() {
                written.state.tag.clone_from(&before.written.state.tag);
            }
        }
        self.last += 1;
        let offset = Offset::new(self.last);
        self.places.insert(offset, persistence_id.clone());
        self.states.insert(persistence_id, Kept { offset, written });
        Ok(())
    }

    pub(super) fn changes(&self, of: &ChangesOf, after: Offset) -> Vec<DurableStateChange> {
        self.places
            .range((Bound::Excluded(after), Bound::Unbounded))
            .filter_map(|(offset, persistence_id)| {
                let state = self.get(persistence_id)?;
                let wanted = match of {
                    ChangesOf::All => true,
                    ChangesOf::Tag(tag) => state.tag.as_ref() == Some(tag),
                    ChangesOf::Slices(slices) => slices.contains(persistence_id.slice()),
                };
                wanted.then(|| DurableStateChange {
                    persistence_id: persistence_id.clone(),
                    offset: *offset,
                    state,
                })
            })
            .collect()
    }

    pub(super) fn newest(&self) -> Offset {
        Offset::new(self.last)
    }
}

impl Written {
    /// Whether it is the same write, sent again.
    fn is_same_as(&self, other: &Self) -> bool {
        self.writer == other.writer
            && self.state.revision == other.state.revision
            && self.state.is_deleted() == other.state.is_deleted()
    }
}

impl From<UpsertState> for Written {
    fn from(upsert: UpsertState) -> Self {
        Self {
            writer: upsert.writer,
            state: StoredState {
                revision: upsert.revision,
                timestamp: upsert.timestamp,
                tag: upsert.tag,
                payload: Some(upsert.payload),
            },
        }
    }
}

impl From<DeleteState> for Written {
    fn from(delete: DeleteState) -> Self {
        Self {
            writer: delete.writer,
            state: StoredState {
                revision: delete.revision,
                timestamp: delete.timestamp,
                tag: None,
                payload: None,
            },
        }
    }
}
