//! Whose writes broke off, so that nothing of theirs is stored behind the hole.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{WriteError, WriteEvents};
use crate::{PersistenceId, SequenceNumber, WriterId};

/// Which writers have a failed write behind them, and at which sequence number: what a journal must
/// know so that it stores nothing of theirs behind it. Part of what makes a store of your own keep
/// the contract of [`JournalMessage::Write`](super::JournalMessage::Write).
///
/// A writer is known by persistence id and writer id. It goes on when it writes the missing number
/// again. One that never does (an entity stops, and its next incarnation is another writer) is
/// forgotten ten minutes later, or as soon as nothing that it sent can still be on its way where
/// more than 65,536 are to be remembered.
#[derive(Debug)]
pub struct BrokenWriters {
    under_way: Duration,
    broken: HashMap<Writer, Broken>,
    /// Old ones are looked for when there are so many.
    sweep_at: usize,
}

type Writer = (PersistenceId, WriterId);

#[derive(Debug)]
struct Broken {
    at: SequenceNumber,
    since: Instant,
}

/// Longer than an author sends writes without looking at an answer.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);
const MANY: usize = 1 << 16;
const FEW: usize = 1 << 10;

impl BrokenWriters {
    /// Nobody's writes broke off yet. A write that was sent is on its way for at most `under_way`.
    pub fn new(under_way: Duration) -> Self {
        Self {
            under_way: under_way.min(REMEMBERED_FOR),
            broken: HashMap::new(),
            sweep_at: FEW,
        }
    }

    /// Whether there are none: then nothing else need be asked.
    pub fn is_empty(&self) -> bool {
        self.broken.is_empty()
    }

    /// Whether the write would leave a hole before it.
    pub fn leaves_a_hole(&self, write: &WriteEvents) -> bool {
        !self.is_empty()
            && self
                .broken
                .get(&writer_of(write))
                .is_some_and(|broken| broken.at < write.first)
    }

    /// To be asked of each write before it goes into the store; one that contains the missing number
    /// makes its writer whole.
    ///
    /// # Errors
    /// [`WriteError::EarlierFailed`]: the write would leave a hole.
    pub fn admit(&mut self, write: &WriteEvents) -> Result<(), WriteError> {
        if self.is_empty() {
            return Ok(());
        }
        if self.leaves_a_hole(write) {
            return Err(WriteError::earlier_failed(write));
        }
        let writer = writer_of(write);
        let missing = self.broken.get(&writer).map(|broken| broken.at);
        if missing.is_some_and(|missing| Some(missing) <= write.last()) {
            self.broken.remove(&writer);
        }
        Ok(())
    }

    /// A write was not stored, or nobody knows whether it was.
    pub fn failed(
        &mut self,
        persistence_id: PersistenceId,
        writer: WriterId,
        first: SequenceNumber,
    ) {
        self.failed_at(persistence_id, writer, first, Instant::now());
    }

    fn failed_at(
        &mut self,
        persistence_id: PersistenceId,
        writer: WriterId,
        first: SequenceNumber,
        now: Instant,
    ) {
        let broken = self
            .broken
            .entry((persistence_id, writer))
            .or_insert(Broken {
                at: first,
                since: now,
            });
        broken.at = broken.at.min(first);
        broken.since = now;
        if self.broken.len() >= self.sweep_at {
            self.forget_old(now);
        }
    }

    /// Looked for each time that their number has doubled, so that noting one more stays cheap.
    fn forget_old(&mut self, now: Instant) {
        self.forget_older_than(REMEMBERED_FOR, now);
        if self.broken.len() > MANY {
            self.forget_older_than(self.under_way, now);
        }
        self.sweep_at = FEW.max(self.broken.len() * 2);
    }

    fn forget_older_than(&mut self, age: Duration, now: Instant) {
        self.broken
            .retain(|_, broken| now.duration_since(broken.since) <= age);
    }
}

fn writer_of(write: &WriteEvents) -> Writer {
    (write.persistence_id.clone(), write.writer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Payload;

    fn write(id: &PersistenceId, writer: WriterId, first: u32, events: usize) -> WriteEvents {
        let events = vec![Payload::raw("x").into(); events];
        WriteEvents::new(id.clone(), first.into(), writer, events)
    }

    fn id(text: &str) -> PersistenceId {
        PersistenceId::parse(text).unwrap()
    }

    fn some() -> (BrokenWriters, PersistenceId, WriterId) {
        let broken = BrokenWriters::new(Duration::from_secs(20));
        (broken, id("p-1"), WriterId::random())
    }

    #[test]
    fn nothing_behind_the_lowest_failed_write_goes_through_until_it_is_written_again() {
        let (mut broken, id, writer) = some();
        broken.admit(&write(&id, writer, 9, 1)).unwrap();
        for first in [5_u32, 4, 6] {
            broken.failed(id.clone(), writer, first.into());
        }
        for first in [5, 6, 70] {
            let refused = broken.admit(&write(&id, writer, first, 1)).unwrap_err();
            assert!(matches!(refused, WriteError::EarlierFailed { .. }));
        }
        // An older write that is sent again does not fill the hole.
        broken.admit(&write(&id, writer, 2, 2)).unwrap();
        assert!(broken.leaves_a_hole(&write(&id, writer, 5, 1)));

        broken.admit(&write(&id, writer, 3, 2)).unwrap();
        broken.admit(&write(&id, writer, 5, 1)).unwrap();
        assert!(broken.is_empty());
    }

    #[test]
    fn a_failed_write_is_the_business_of_its_writer_alone() {
        let (mut broken, id, writer) = some();
        broken.failed(id.clone(), writer, 4.into());
        broken.admit(&write(&id, WriterId::random(), 5, 1)).unwrap();
        let other = PersistenceId::parse("p-2").unwrap();
        broken.admit(&write(&other, writer, 5, 1)).unwrap();
        assert!(broken.leaves_a_hole(&write(&id, writer, 5, 1)));
    }

    #[test]
    fn writers_that_never_come_again_do_not_fill_the_memory() {
        let (mut broken, id, writer) = some();
        let begin = Instant::now();
        broken.failed_at(id.clone(), writer, 4.into(), begin);
        for second in 0..20_000_u64 {
            let (entity, now) = (id.clone(), begin + Duration::from_secs(second));
            broken.failed_at(entity, WriterId::random(), 4.into(), now);
            assert!(broken.leaves_a_hole(&write(&id, writer, 5, 1)) || second > 600);
            assert!(broken.broken.len() <= 2 * FEW);
        }
        assert!(!broken.leaves_a_hole(&write(&id, writer, 5, 1)));
    }

    #[test]
    fn where_there_are_many_only_what_can_be_on_its_way_is_remembered() {
        let (mut broken, id, _) = some();
        let begin = Instant::now();
        for turn in 0..400_000_u64 {
            let (entity, now) = (id.clone(), begin + Duration::from_millis(turn));
            broken.failed_at(entity, WriterId::random(), 4.into(), now);
        }
        assert!(broken.broken.len() <= 2 * MANY);

        let (writer, now) = (WriterId::random(), begin + Duration::from_secs(400));
        broken.failed_at(id.clone(), writer, 4.into(), now);
        broken.forget_old(now + Duration::from_secs(20));
        assert!(broken.leaves_a_hole(&write(&id, writer, 5, 1)));
    }
}
