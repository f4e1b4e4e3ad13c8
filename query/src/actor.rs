use annals_persistence::QueryMessage;
use annals_postgres::Pool;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::JoinSet;

use crate::by_persistence_id::ByPersistenceId;
use crate::catch_up::Finders;
use crate::events::Events;
use crate::horizon_ref::HorizonRef;
use crate::persistence_ids::PersistenceIds;
use crate::shape::KnownShape;
use crate::tags::TagNumbers;
use crate::tail::SharedTail;

/// Starts one task a query; they end with their readers, or with the actor.
pub(crate) struct QueryActor;

pub(crate) struct Sources {
    pub(crate) pool: Pool,
    pub(crate) shape: KnownShape,
    pub(crate) horizon: HorizonRef,
    pub(crate) tags: TagNumbers,
    pub(crate) finders: Finders,
    pub(crate) tail: SharedTail,
    pub(crate) running: JoinSet<()>,
}

impl Actor for QueryActor {
    type Msg = QueryMessage;
    type State = Sources;
    type Arguments = Sources;

    async fn pre_start(
        &self,
        _myself: ActorRef<QueryMessage>,
        sources: Sources,
    ) -> Result<Sources, ActorProcessingErr> {
        Ok(sources)
    }

    async fn handle(
        &self,
        _myself: ActorRef<QueryMessage>,
        message: QueryMessage,
        sources: &mut Sources,
    ) -> Result<(), ActorProcessingErr> {
        while let Some(ended) = sources.running.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(error = %error, "a query panicked");
            }
        }
        sources.start(message);
        Ok(())
    }
}

impl Sources {
    fn start(&mut self, message: QueryMessage) {
        let (pool, horizon) = (self.pool.clone(), self.horizon.clone());
        let shape = self.shape.clone();
        match message {
            QueryMessage::PersistenceIds { which, tail, sink } => {
                let query = PersistenceIds {
                    which,
                    pool,
                    shape,
                    horizon,
                    tail,
                    sink,
                };
                self.running.spawn(query.run());
            }
            QueryMessage::EventsByPersistenceId {
                persistence_id,
                from,
                to,
                tail,
                sink,
            } => {
                let query = ByPersistenceId {
                    pool,
                    shape,
                    horizon,
                    shared: self.tail.clone(),
                    persistence_id,
                    to,
                    tail,
                    sink,
                };
                self.running.spawn(query.run(from));
            }
            QueryMessage::Events {
                which,
                after,
                tail,
                passed,
                sink,
            } => {
                let query = Events {
                    pool,
                    shape,
                    horizon,
                    tags: self.tags.clone(),
                    finders: self.finders.clone(),
                    shared: self.tail.clone(),
                    which,
                    tail,
                    passed,
                    sink,
                };
                self.running.spawn(query.run(after));
            }
        }
    }
}
