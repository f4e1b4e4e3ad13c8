use annals_persistence::{SnapshotMessage, SnapshotRef};
use annals_postgres::Pool;
use ractor::{Actor, SpawnErr};

use crate::actor::SnapshotActor;
use crate::backlog::Backlog;
use crate::loader::Loader;
use crate::saver::Saver;

/// Starts the snapshot store.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotStore;

impl SnapshotStore {
    /// A snapshot store whose table is there ([`annals_postgres::migrate`]), on connections of
    /// `pool`.
    ///
    /// # Errors
    /// The actor did not start.
    pub async fn start(pool: Pool) -> Result<SnapshotRef, SpawnErr> {
        let backlog = Backlog::default();
        let saver = Saver::spawn(pool.clone(), backlog.clone());
        let arguments = (saver, backlog, Loader::new(pool));
        let (actor, _) = Actor::spawn(None, SnapshotActor, arguments).await?;
        Ok(SnapshotRef::new(actor.get_derived::<SnapshotMessage>()))
    }
}
