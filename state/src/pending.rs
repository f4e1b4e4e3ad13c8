use std::time::Instant;

use annals_persistence::{
    DeleteState, Payload, PersistenceId, Revision, SharedError, StateRejection, StateWriteError,
    Tag, Timestamp, UpsertState, WriterId,
};
use ractor::RpcReplyPort;

/// A write whose author waits for an answer.
#[derive(Debug)]
pub(crate) struct PendingWrite {
    pub(crate) persistence_id: PersistenceId,
    pub(crate) revision: Revision,
    pub(crate) writer: WriterId,
    pub(crate) timestamp: Timestamp,
    pub(crate) content: Content,
    pub(crate) accepted: Instant,
    reply: WriteReply,
}

/// What the row is to hold.
#[derive(Debug)]
pub(crate) enum Content {
    State(Payload, Option<Tag>),
    /// The mark of a deletion, which keeps the tag.
    Nothing,
}

pub(crate) type WriteReply = RpcReplyPort<Result<(), StateWriteError>>;

impl PendingWrite {
    pub(crate) fn upsert(upsert: UpsertState, reply: WriteReply) -> Self {
        Self {
            persistence_id: upsert.persistence_id,
            revision: upsert.revision,
            writer: upsert.writer,
            timestamp: upsert.timestamp,
            content: Content::State(upsert.payload, upsert.tag),
            accepted: Instant::now(),
            reply,
        }
    }

    pub(crate) fn delete(delete: DeleteState, reply: WriteReply) -> Self {
        Self {
            persistence_id: delete.persistence_id,
            revision: delete.revision,
            writer: delete.writer,
            timestamp: delete.timestamp,
            content: Content::Nothing,
            accepted: Instant::now(),
            reply,
        }
    }

    pub(crate) fn is_deletion(&self) -> bool {
        matches!(self.content, Content::Nothing)
    }

    pub(crate) fn bytes(&self) -> usize {
        match &self.content {
            Content::State(payload, _) => payload.bytes.len(),
            Content::Nothing => 0,
        }
    }

    pub(crate) fn stored(self) {
        self.answer(Ok(()));
    }

    pub(crate) fn conflict(self, stored: Revision) {
        let (persistence_id, attempted) = (self.persistence_id.clone(), self.revision);
        self.answer(Err(StateWriteError::Conflict {
            persistence_id,
            attempted,
            stored,
        }));
    }

    pub(crate) fn rejected(self, reason: StateRejection) {
        let (persistence_id, revision) = (self.persistence_id.clone(), self.revision);
        self.answer(Err(StateWriteError::Rejected {
            persistence_id,
            revision,
            reason,
        }));
    }

    pub(crate) fn unavailable(self, source: SharedError) {
        let (persistence_id, revision) = (self.persistence_id.clone(), self.revision);
        self.answer(Err(StateWriteError::Unavailable {
            persistence_id,
            revision,
            source,
        }));
    }

    pub(crate) fn unknown(self, source: SharedError) {
        let (persistence_id, revision) = (self.persistence_id.clone(), self.revision);
        self.answer(Err(StateWriteError::Unknown {
            persistence_id,
            revision,
            source,
        }));
    }

    fn answer(self, result: Result<(), StateWriteError>) {
        // An author that no longer waits has been told that the outcome is unknown then.
        let _ = self.reply.send(result);
    }
}
