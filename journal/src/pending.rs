use std::time::Instant;

use annals_persistence::{PersistenceId, SequenceNumber, WriteError, WriteEvents, WriterId};
use ractor::RpcReplyPort;

use crate::queue::Weigh;
use crate::tag_ids::TagLiterals;

/// A write whose author waits for an answer.
#[derive(Debug)]
pub(crate) struct PendingWrite {
    pub(crate) write: WriteEvents,
    pub(crate) tags: TagLiterals,
    pub(crate) accepted: Instant,
    pub(crate) reply: WriteReply,
}

pub(crate) type WriteReply = RpcReplyPort<Result<(), WriteError>>;

impl PendingWrite {
    pub(crate) fn answer(self, result: Result<(), WriteError>) {
        // The room in the journal is given back before the author can send the next write.
        drop(self.write);
        // An author that no longer waits has been told that the outcome is unknown then.
        let _ = self.reply.send(result);
    }
}

/// What remains to be known of a write that failed.
#[derive(Debug)]
pub(crate) struct FailedWrite {
    pub(crate) persistence_id: PersistenceId,
    pub(crate) writer: WriterId,
    pub(crate) first: SequenceNumber,
}

impl FailedWrite {
    pub(crate) fn of(write: &WriteEvents) -> Self {
        Self {
            persistence_id: write.persistence_id.clone(),
            writer: write.writer,
            first: write.first,
        }
    }
}

impl Weigh for PendingWrite {
    type Key = PersistenceId;

    fn key(&self) -> &PersistenceId {
        &self.write.persistence_id
    }

    fn events(&self) -> usize {
        self.write.events.len()
    }

    fn bytes(&self) -> usize {
        self.write.bytes()
    }
}
