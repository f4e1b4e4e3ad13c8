use annals_persistence::DurableStateMessage;
use annals_postgres::Pool;
use annals_query::HorizonRef;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::JoinSet;

use crate::changes::Changes;
use crate::dispatcher::{DispatcherHandle, Job};
use crate::pending::PendingWrite;

/// The mailbox of the store. Stopping waits until everything accepted is answered, and ends the
/// streams.
pub(crate) struct StateActor;

pub(crate) struct Parts {
    pub(crate) dispatcher: Option<DispatcherHandle>,
    pub(crate) horizon: HorizonRef,
    pub(crate) pool: Pool,
    pub(crate) streams: JoinSet<()>,
}

impl Actor for StateActor {
    type Msg = DurableStateMessage;
    type State = Parts;
    type Arguments = Parts;

    async fn pre_start(
        &self,
        _myself: ActorRef<DurableStateMessage>,
        parts: Parts,
    ) -> Result<Parts, ActorProcessingErr> {
        Ok(parts)
    }

    async fn handle(
        &self,
        _myself: ActorRef<DurableStateMessage>,
        message: DurableStateMessage,
        parts: &mut Parts,
    ) -> Result<(), ActorProcessingErr> {
        let job = match message {
            DurableStateMessage::Get(persistence_id, reply) => Job::Get(persistence_id, reply),
            DurableStateMessage::Upsert(upsert, reply) => {
                Job::Write(PendingWrite::upsert(upsert, reply))
            }
            DurableStateMessage::Delete(delete, reply) => {
                Job::Write(PendingWrite::delete(delete, reply))
            }
            DurableStateMessage::Changes {
                of,
                after,
                tail,
                sink,
            } => {
                parts.reap();
                let changes = Changes {
                    pool: parts.pool.clone(),
                    horizon: parts.horizon.clone(),
                    of,
                    tail,
                    sink,
                };
                parts.streams.spawn(changes.run(after));
                return Ok(());
            }
        };
        if let Some(dispatcher) = &parts.dispatcher {
            dispatcher.send(job)?;
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<DurableStateMessage>,
        parts: &mut Parts,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(dispatcher) = parts.dispatcher.take() {
            dispatcher.finish().await?;
        }
        parts.streams.shutdown().await;
        Ok(())
    }
}

impl Parts {
    fn reap(&mut self) {
        while let Some(ended) = self.streams.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(error = %error, "a stream of changes panicked");
            }
        }
    }
}
