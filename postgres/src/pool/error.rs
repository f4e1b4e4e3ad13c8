use std::sync::Arc;
use std::time::Duration;

use crate::ConnectError;

/// Why the pool has no connection to give.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// All connections were in use for the whole wait.
    #[error(
        "no connection of the pool of {size} became free within {waited:.1?}; hold readers for a shorter time, \
         or make the pool larger"
    )]
    AllInUse {
        /// How long the caller waited.
        waited: Duration,
        /// The most connections the pool opens.
        size: u32,
    },
    /// The server could not be reached during the whole wait.
    #[error("the pool of {size} got no connection within {waited:.1?}: {source}")]
    ServerUnavailable {
        /// How long the caller waited.
        waited: Duration,
        /// The most connections the pool opens.
        size: u32,
        /// The last failure of an attempt to connect.
        source: Arc<ConnectError>,
    },
    /// The server refuses, and will go on refusing.
    #[error("the pool cannot connect: {source}")]
    Connect {
        /// What the server or the settings object to.
        source: Arc<ConnectError>,
    },
}
