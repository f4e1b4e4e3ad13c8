use std::time::Duration;

use annals_persistence::JournalCapacity;

/// How the journal writes. The defaults suit one process beside a server of a few cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalSettings {
    /// Connections that write. More help only where commits are slow or writers are many.
    pub lanes: usize,
    /// A lane beyond the first opens when so many events wait.
    pub open_at: usize,
    /// The most events of one statement; a single larger write goes alone.
    pub batch_events: usize,
    /// The most bytes of payload of one statement; a single larger write goes alone.
    pub batch_bytes: usize,
    /// How long a write may wait for a server that is away or does not answer.
    pub patience: Duration,
    /// How many partitions beyond the one that is written to are kept ready, where the layout has any.
    pub partitions_ahead: u32,
    /// How often it looks for deleted events that a process has left which is gone; about, so that many
    /// processes do not look at once.
    pub look_for_deleted: Duration,
    /// How much may wait in the journal.
    pub capacity: JournalCapacity,
}

impl Default for JournalSettings {
    /// Four lanes, a further one at 32 waiting events, batches of 400 events or 4 MiB, 30 seconds, two
    /// partitions ahead, a look for deleted events each minute.
    fn default() -> Self {
        Self {
            lanes: 4,
            open_at: 32,
            batch_events: 400,
            batch_bytes: 4 * 1024 * 1024,
            patience: Duration::from_secs(30),
            partitions_ahead: 2,
            look_for_deleted: Duration::from_secs(60),
            capacity: JournalCapacity::default(),
        }
    }
}
