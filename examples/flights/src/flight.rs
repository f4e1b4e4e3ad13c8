use crate::{Airport, Carrier, ScheduledHour, TailNumber};

/// One flight out of New York City: one row of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flight {
    /// The hour (UTC) in which it was to leave; the file is sorted by it.
    pub scheduled: ScheduledHour,
    /// Who flew it.
    pub carrier: Carrier,
    /// Its number at that carrier; not unique.
    pub number: u16,
    /// The aircraft; missing only where the flight was cancelled before it got one.
    pub tail_number: Option<TailNumber>,
    /// Where it was to leave: EWR, JFK or LGA.
    pub origin: Airport,
    /// Where it was to arrive.
    pub dest: Airport,
    /// The way in miles.
    pub distance: u16,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a flight. Delays are minutes; early is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It never left.
    Cancelled,
    /// It left, and no arrival was recorded.
    Departed {
        /// How late it left.
        departure_delay: i16,
    },
    /// It left and arrived.
    Arrived {
        /// How late it left.
        departure_delay: i16,
        /// How late it arrived; unknown where it was diverted or not recorded.
        arrival_delay: Option<i16>,
    },
}

impl Flight {
    /// How many events it becomes: cancelled 1, departed 1, departed and arrived 2.
    pub fn events(&self) -> u64 {
        match self.outcome {
            Outcome::Cancelled | Outcome::Departed { .. } => 1,
            Outcome::Arrived { .. } => 2,
        }
    }
}
