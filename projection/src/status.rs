use std::fmt;
use std::time::{Duration, SystemTime};

use annals_persistence::{Offset, SliceRange, Timestamp};

use crate::ProjectionKey;

/// How a version of a projection stands, wherever it runs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// Which one.
    pub key: ProjectionKey,
    /// Whether its results are those in use.
    pub live: bool,
    /// Whether it was told to pause.
    pub paused: bool,
    /// How many run it.
    pub processes: usize,
    /// How many events were given up.
    pub dead_letters: usize,
    /// The newest offset that was given to any event of the journal.
    pub newest: Offset,
    /// Its ranges, in order.
    pub ranges: Vec<RangeStatus>,
}

/// How one range of a projection stands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RangeStatus {
    /// Which slices.
    pub slices: SliceRange,
    /// What becomes of it.
    pub state: RangeState,
    /// The last event that was dealt with.
    pub offset: Offset,
    /// How far it is behind.
    pub lag: Lag,
    /// How many events were dealt with.
    pub handled: u64,
    /// How many a second lately.
    pub rate: f64,
    /// When an offset was last saved.
    pub saved_at: Option<SystemTime>,
    /// The last thing that went wrong, which may be over.
    pub last_error: Option<LastError>,
}

/// What becomes of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RangeState {
    /// A process runs it.
    Running,
    /// A process runs it, and has to try an event again.
    Retrying,
    /// A failure ended it; it waits to be resumed.
    Stopped,
    /// The projection is paused, and a process has something to finish.
    Pausing,
    /// The projection is paused.
    Paused,
    /// It should be run, and is not: no process is there, or none has taken it yet.
    Unattended,
}

/// How far a range is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// At most so many events: so many offsets were given since, to events of any kind.
    pub events: u64,
    /// So long ago the first event was written that waits for it, by the clock of its writer.
    pub time: Duration,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    /// What was said, and its causes.
    pub message: String,
    /// When.
    pub at: SystemTime,
    /// The event that still stands in the way, if it is one.
    pub offset: Option<Offset>,
    /// How often that event was tried.
    pub attempts: u32,
}

impl Status {
    /// Whether no event waits.
    pub fn has_caught_up(&self) -> bool {
        self.ranges.iter().all(|it| it.lag.events == 0)
    }

    /// How much of the journal is behind it, from 0 to 1: for a progress bar.
    pub fn progress(&self) -> f64 {
        let newest = self.newest.get();
        if self.has_caught_up() || newest <= 0 {
            return 1.0;
        }
        let read = |range: &RangeStatus| match range.lag.events {
            0 => newest,
            _ => range.offset.get().min(newest),
        };
        let read: f64 = self.ranges.iter().map(|it| read(it) as f64).sum();
        read / (newest as f64 * self.ranges.len() as f64)
    }

    /// How many events a second lately, all ranges together.
    pub fn rate(&self) -> f64 {
        self.ranges.iter().map(|it| it.rate).sum()
    }
}

impl RangeState {
    pub(crate) const fn of(paused: bool, held: bool, stopped: bool, failing: bool) -> Self {
        match (stopped, paused, held) {
            (true, ..) => Self::Stopped,
            (_, true, true) => Self::Pausing,
            (_, true, false) => Self::Paused,
            (_, false, false) => Self::Unattended,
            (_, false, true) if failing => Self::Retrying,
            (_, false, true) => Self::Running,
        }
    }
}

impl fmt::Display for RangeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Stopped => "stopped",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
            Self::Unattended => "unattended",
        })
    }
}

impl Lag {
    /// Where `waiting` is when the first event was written behind `offset`, if there is one.
    pub(crate) fn of(
        offset: Offset,
        newest: Offset,
        waiting: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let Some(since) = waiting else {
            return Self::default();
        };
        let events = newest.get().saturating_sub(offset.get());
        let millis = now.as_millis().saturating_sub(since.as_millis());
        Self {
            events: u64::try_from(events).unwrap_or_default().max(1),
            time: Duration::from_millis(u64::try_from(millis).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(ranges: &[(i64, u64)]) -> Status {
        let range = |&(offset, events): &(i64, u64)| RangeStatus {
            slices: SliceRange::ALL,
            state: RangeState::Running,
            offset: Offset::new(offset),
            lag: Lag {
                events,
                time: Duration::ZERO,
            },
            handled: 0,
            rate: 1.5,
            saved_at: None,
            last_error: None,
        };
        Status {
            key: ProjectionKey::new("p", 1),
            live: true,
            paused: false,
            processes: 1,
            dead_letters: 0,
            newest: Offset::new(100),
            ranges: ranges.iter().map(range).collect(),
        }
    }

    #[test]
    fn progress_counts_what_has_nothing_to_read_as_read() {
        assert_eq!(status(&[(50, 50), (30, 0)]).progress(), 0.75);
        assert_eq!(status(&[(0, 100)]).progress(), 0.0);
        assert_eq!(status(&[(7, 0), (9, 0)]).progress(), 1.0);
        assert_eq!(status(&[(7, 0), (9, 0)]).rate(), 3.0);
    }

    #[test]
    fn who_has_nothing_to_read_has_no_lag_however_old_its_offset() {
        let at = Timestamp::from_millis;
        let lag = |waiting| Lag::of(Offset::new(10), Offset::new(90), waiting, at(5_000));
        assert_eq!(lag(None), Lag::default());
        let second = Duration::from_secs(1);
        assert_eq!(
            lag(Some(at(4_000))),
            Lag {
                events: 80,
                time: second
            }
        );
        assert_eq!(lag(Some(at(9_000))).time, Duration::ZERO, "clocks differ");
    }
}
