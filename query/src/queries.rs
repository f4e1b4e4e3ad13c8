use std::time::Duration;

use annals_persistence::{QueryMessage, QueryRef};
use annals_postgres::{Pool, Settings};
use ractor::{Actor, SpawnErr};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::actor::{QueryActor, Sources};
use crate::catch_up::Finders;
use crate::horizon_ref::{HorizonRef, NumberedTable};
use crate::shape::KnownShape;
use crate::tags::TagNumbers;
use crate::tail::SharedTail;

/// Starts the queries over one journal.
#[derive(Clone, Copy, Debug)]
pub struct Queries;

impl Queries {
    /// Queries over the journal at `settings`, whose tables must be there
    /// ([`annals_postgres::migrate`]); pages are read on connections of `pool`, and one connection
    /// of its own follows the horizon while somebody reads.
    ///
    /// `commits` changes when this process has stored something, so that live readers in the same
    /// process see it at once, and those of other processes hear of it within milliseconds: a second
    /// connection notifies, and listens while somebody reads live. Writers that do not notify, and servers
    /// that do not let anybody listen, are looked at: at most 100 ms late.
    ///
    /// # Errors
    /// The actor did not start.
    pub async fn start(
        settings: &Settings,
        pool: Pool,
        commits: watch::Receiver<u64>,
    ) -> Result<QueryRef, SpawnErr> {
        Self::beside_early_writers(settings, pool, commits, Duration::ZERO).await
    }

    /// The same beside writers that draw an ordering up to `early` before the insert begins that stores
    /// it, as the JVM plugin does in the layout by ordering: a gap stays open for so long.
    ///
    /// # Errors
    /// The actor did not start.
    pub async fn beside_early_writers(
        settings: &Settings,
        pool: Pool,
        commits: watch::Receiver<u64>,
        early: Duration,
    ) -> Result<QueryRef, SpawnErr> {
        let (table, settings) = (NumberedTable::JOURNAL, settings.clone());
        let horizon = HorizonRef::beside_early_writers(table, settings, commits, early);
        let (tail, reading) = SharedTail::new(pool.clone(), horizon.clone());
        let mut running = JoinSet::new();
        running.spawn(reading);
        let sources = Sources {
            horizon,
            tags: TagNumbers::new(pool.clone()),
            finders: Finders::beside(pool.size()),
            pool,
            shape: KnownShape::default(),
            tail,
            running,
        };
        let (actor, _) = Actor::spawn(None, QueryActor, sources).await?;
        Ok(QueryRef::new(actor.get_derived::<QueryMessage>()))
    }
}
