use annals_persistence::{DurableStateMessage, DurableStateRef};
use annals_postgres::{Pool, Settings};
use annals_query::{HorizonRef, NumberedTable};
use ractor::{Actor, SpawnErr};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::actor::{Parts, StateActor};
use crate::dispatcher::Dispatcher;
use crate::reader::StateReader;
use crate::writer::StateWriter;

/// Starts the store of durable states.
#[derive(Clone, Copy, Debug)]
pub struct DurableStateStore;

/// The numbers of changes: a row takes a new one with every write.
const TABLE: NumberedTable = NumberedTable {
    name: "durable_state",
    number: "global_offset",
};

impl DurableStateStore {
    /// A store at `settings` whose table is there ([`annals_postgres::migrate`]), on connections of
    /// `pool`; one connection of its own follows the horizon while somebody reads changes.
    ///
    /// # Errors
    /// The actor did not start.
    pub async fn start(settings: &Settings, pool: Pool) -> Result<DurableStateRef, SpawnErr> {
        let (committed, commits) = watch::channel(0);
        let writer = StateWriter::new(pool.clone());
        let reader = StateReader::new(pool.clone());
        let parts = Parts {
            dispatcher: Some(Dispatcher::spawn(writer, reader, committed)),
            horizon: HorizonRef::of(TABLE, settings.clone(), commits),
            pool,
            streams: JoinSet::new(),
        };
        let (actor, _) = Actor::spawn(None, StateActor, parts).await?;
        Ok(DurableStateRef::new(
            actor.get_derived::<DurableStateMessage>(),
        ))
    }
}
