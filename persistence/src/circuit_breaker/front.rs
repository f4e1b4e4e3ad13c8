//! The actor in front of the journal: hands on what may go through, in the order in which it came,
//! and brings the answers back.

use std::sync::Arc;
use std::time::Duration;

use ractor::concurrency::{OneshotReceiver, oneshot};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use thiserror::Error;
use tokio::task::JoinSet;

use super::CircuitBreaker;
use crate::{
    DeleteError, DeleteEvents, JournalMessage, JournalRef, PersistenceId, ReplaceError,
    ReplaceEvent, Replay, ReplayError, ReplayEvents, SequenceNumber, WriteError, WriteEvents,
};

pub(super) struct Front;

pub(super) struct Behind {
    journal: JournalRef,
    breaker: CircuitBreaker,
    /// One task a call that is under way: the journal answers beside the mailbox.
    calls: JoinSet<()>,
}

impl Behind {
    pub(super) fn new(journal: JournalRef, breaker: CircuitBreaker) -> Self {
        Self {
            journal,
            breaker,
            calls: JoinSet::new(),
        }
    }
}

impl Actor for Front {
    type Msg = JournalMessage;
    type State = Behind;
    type Arguments = Behind;

    async fn pre_start(
        &self,
        _myself: ActorRef<JournalMessage>,
        behind: Behind,
    ) -> Result<Behind, ActorProcessingErr> {
        Ok(behind)
    }

    async fn handle(
        &self,
        _myself: ActorRef<JournalMessage>,
        message: JournalMessage,
        behind: &mut Behind,
    ) -> Result<(), ActorProcessingErr> {
        while behind.calls.try_join_next().is_some() {}
        match message {
            JournalMessage::Write(write, reply) => behind.write(write, reply),
            JournalMessage::Replay(replay, reply) => behind.replay(replay, reply),
            JournalMessage::Delete(delete, reply) => behind.delete(delete, reply),
            JournalMessage::Replace(replace, reply) => behind.replace(replace, reply),
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<JournalMessage>,
        behind: &mut Behind,
    ) -> Result<(), ActorProcessingErr> {
        while behind.calls.join_next().await.is_some() {}
        behind.journal.drain().await;
        Ok(())
    }
}

/// What is known of a write once the journal has it.
pub(super) struct Sent {
    pub(super) persistence_id: PersistenceId,
    pub(super) first: SequenceNumber,
    pub(super) last: SequenceNumber,
}

// A caller that no longer waits is no concern of the breaker: each call is settled all the same.
impl Behind {
    fn write(&mut self, write: WriteEvents, reply: RpcReplyPort<Result<(), WriteError>>) {
        let permit = match self.breaker.admit_write(&write) {
            Ok(permit) => permit,
            Err(error) => {
                // The room in the journal is given back before the author can send the next write.
                drop(write);
                let _ = reply.send(Err(error));
                return;
            }
        };
        let sent = Sent {
            persistence_id: write.persistence_id.clone(),
            first: write.first,
            last: write.last().unwrap_or(write.first),
        };
        let (port, answer) = oneshot();
        let arrived = self.journal.send(JournalMessage::Write(write, port.into()));
        let breaker = self.breaker.clone();
        self.calls.spawn(async move {
            let answer = match answer_within(breaker.patience(), answer).await {
                Ok(answer) => answer,
                Err(_) if !arrived => Err(WriteError::Stopped {
                    persistence_id: sent.persistence_id.clone(),
                }),
                Err(silence) => Err(WriteError::Unknown {
                    persistence_id: sent.persistence_id.clone(),
                    first: sent.first,
                    last: sent.last,
                    source: Arc::new(silence),
                }),
            };
            breaker.note_stored(&sent, &answer);
            breaker.settle(permit, &answer);
            let _ = reply.send(answer);
        });
    }

    fn replay(&mut self, replay: ReplayEvents, reply: RpcReplyPort<Result<Replay, ReplayError>>) {
        let persistence_id = replay.persistence_id.clone();
        let permit = match self.breaker.admit() {
            Ok(permit) => permit,
            Err(refusal) => {
                let _ = reply.send(Err(ReplayError::BreakerOpen {
                    persistence_id,
                    retry_in: refusal.retry_in,
                    source: refusal.cause,
                }));
                return;
            }
        };
        let (port, answer) = oneshot();
        self.journal
            .send(JournalMessage::Replay(replay, port.into()));
        let breaker = self.breaker.clone();
        self.calls.spawn(async move {
            let answer = match answer_within(breaker.patience(), answer).await {
                Ok(answer) => answer,
                Err(Silence::Stopped) => Err(ReplayError::Stopped),
                Err(late) => Err(ReplayError::Unavailable {
                    persistence_id: persistence_id.clone(),
                    source: Arc::new(late),
                }),
            };
            breaker.note_replayed(&persistence_id, &answer);
            breaker.settle(permit, &answer);
            let _ = reply.send(answer);
        });
    }

    fn delete(&mut self, delete: DeleteEvents, reply: RpcReplyPort<Result<(), DeleteError>>) {
        let DeleteEvents { persistence_id, to } = delete.clone();
        let permit = match self.breaker.admit() {
            Ok(permit) => permit,
            Err(refusal) => {
                let _ = reply.send(Err(DeleteError::BreakerOpen {
                    persistence_id,
                    to,
                    retry_in: refusal.retry_in,
                    source: refusal.cause,
                }));
                return;
            }
        };
        let (port, answer) = oneshot();
        self.journal
            .send(JournalMessage::Delete(delete, port.into()));
        let breaker = self.breaker.clone();
        self.calls.spawn(async move {
            let answer = match answer_within(breaker.patience(), answer).await {
                Ok(answer) => answer,
                Err(Silence::Stopped) => Err(DeleteError::Stopped),
                Err(late) => Err(DeleteError::Unavailable {
                    persistence_id,
                    to,
                    source: Arc::new(late),
                }),
            };
            breaker.settle(permit, &answer);
            let _ = reply.send(answer);
        });
    }

    fn replace(&mut self, replace: ReplaceEvent, reply: RpcReplyPort<Result<(), ReplaceError>>) {
        let persistence_id = replace.persistence_id.clone();
        let sequence_number = replace.sequence_number;
        let permit = match self.breaker.admit() {
            Ok(permit) => permit,
            Err(refusal) => {
                let _ = reply.send(Err(ReplaceError::BreakerOpen {
                    persistence_id,
                    sequence_number,
                    retry_in: refusal.retry_in,
                    source: refusal.cause,
                }));
                return;
            }
        };
        let (port, answer) = oneshot();
        self.journal
            .send(JournalMessage::Replace(replace, port.into()));
        let breaker = self.breaker.clone();
        self.calls.spawn(async move {
            let answer = match answer_within(breaker.patience(), answer).await {
                Ok(answer) => answer,
                Err(Silence::Stopped) => Err(ReplaceError::Stopped),
                Err(late) => Err(ReplaceError::Unavailable {
                    persistence_id,
                    sequence_number,
                    source: Arc::new(late),
                }),
            };
            breaker.settle(permit, &answer);
            let _ = reply.send(answer);
        });
    }
}

async fn answer_within<A>(patience: Duration, answer: OneshotReceiver<A>) -> Result<A, Silence> {
    match tokio::time::timeout(patience, answer).await {
        Ok(answer) => answer.map_err(|_| Silence::Stopped),
        Err(_) => Err(Silence::Late { patience }),
    }
}

#[derive(Debug, Error)]
enum Silence {
    #[error("the journal did not answer within {patience:?}")]
    Late { patience: Duration },
    #[error("the journal stopped without an answer")]
    Stopped,
}
