use std::time::Duration;

use crate::{Backoff, DurableStateRef, ReaderPositions};

/// How many entities live, and for how long.
///
/// ```
/// use std::time::Duration;
/// use annals_persistence::EntitySettings;
///
/// let settings = EntitySettings {
///     passivate_after: Some(Duration::from_secs(120)),
///     most_live: Some(100_000),
///     ..EntitySettings::default()
/// };
/// ```
#[derive(Clone, Debug)]
pub struct EntitySettings {
    /// An entity that has had no command for so long, and holds none in its stash, stops; it comes
    /// back when it is next asked for. `None`, the default: it stays.
    pub passivate_after: Option<Duration>,
    /// When more are live, the one that has had no command for the longest time stops, whichever
    /// that is; entities with commands in their stash stay. `None`, the default: there is no limit.
    pub most_live: Option<usize>,
    /// So many recover at the same time, 50 by default; the others wait their turn.
    pub concurrent_recoveries: usize,
    /// When an entity that failed may come back.
    pub restart: Backoff,
    /// The readers that [`Retention::delete_events_that_no_reader_needs`] heeds.
    ///
    /// [`Retention::delete_events_that_no_reader_needs`]: crate::Retention::delete_events_that_no_reader_needs
    pub readers: Option<ReaderPositions>,
    /// Where the states of entities are that are stored as a whole ([`Entities::get_state`]). `None`,
    /// the default: there are no such entities. `Annals` puts the store of its database here unless
    /// there is another.
    ///
    /// [`Entities::get_state`]: crate::Entities::get_state
    pub durable_state: Option<DurableStateRef>,
}

impl Default for EntitySettings {
    fn default() -> Self {
        Self {
            passivate_after: None,
            most_live: None,
            concurrent_recoveries: 50,
            restart: Backoff::default(),
            readers: None,
            durable_state: None,
        }
    }
}
