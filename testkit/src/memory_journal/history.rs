use std::collections::{BTreeMap, HashMap};

use annals_persistence::{
    EventEnvelope, Offset, Rejection, Replay, ReplayEvents, SequenceNumber, WriteError,
    WriteEvents, WriterId,
};

/// The events of one persistence id.
#[derive(Default)]
pub(super) struct History {
    /// Deleted events stay, so that their numbers stay taken and a repeated write is recognised.
    rows: BTreeMap<SequenceNumber, EventEnvelope>,
    deleted_to: SequenceNumber,
    /// Where each writer's history broke off: nothing of it may be stored behind that.
    broken_at: HashMap<WriterId, SequenceNumber>,
}

impl History {
    /// Stores the events, all or none; a repeated write is stored already.
    pub(super) fn write(
        &mut self,
        write: &WriteEvents,
        last_offset: &mut i64,
    ) -> Result<(), WriteError> {
        let numbers = numbers(write)?;
        if self
            .broken_at
            .get(&write.writer)
            .is_some_and(|broken| write.first > *broken)
        {
            return Err(WriteError::EarlierFailed {
                persistence_id: write.persistence_id.clone(),
                first: write.first,
            });
        }
        let writer = write.writer.to_string();
        let stored = |number| self.rows.get(number);
        if numbers
            .iter()
            .all(|number| stored(number).is_some_and(|row| row.writer == writer))
        {
            return Ok(());
        }
        if numbers.iter().any(|number| stored(number).is_some()) {
            return Err(WriteError::Conflict {
                persistence_id: write.persistence_id.clone(),
                attempted: write.first,
                highest: self.highest(),
            });
        }
        for (number, event) in numbers.into_iter().zip(&write.events) {
            *last_offset += 1;
            let row = EventEnvelope {
                persistence_id: write.persistence_id.clone(),
                sequence_number: number,
                offset: Offset::new(*last_offset),
                timestamp: write.timestamp,
                writer: writer.clone(),
                event_manifest: event.event_manifest.clone().into_owned(),
                payload: event.payload.clone(),
                metadata: event.metadata.clone(),
            };
            self.rows.insert(number, row);
        }
        Ok(())
    }

    /// Remembers whether the write was confirmed: a failed one fails those that its writer has sent
    /// behind it.
    pub(super) fn note(&mut self, write: &WriteEvents, confirmed: bool) {
        if !confirmed {
            let broken = self.broken_at.entry(write.writer).or_insert(write.first);
            *broken = write.first.min(*broken);
        } else if self.broken_at.get(&write.writer).copied() <= write.last() {
            self.broken_at.remove(&write.writer);
        }
    }

    pub(super) fn replay(&self, replay: &ReplayEvents) -> Replay {
        let events = self
            .rows
            .range(replay.from..)
            .take_while(|(number, _)| **number <= replay.to)
            .filter(|(number, _)| **number > self.deleted_to)
            .map(|(_, row)| row.clone())
            .take(usize::try_from(replay.limit).unwrap_or(usize::MAX))
            .collect();
        Replay::complete(self.highest(), self.deleted_to, events)
    }

    pub(super) fn delete(&mut self, to: SequenceNumber) {
        self.deleted_to = self.deleted_to.max(to.min(self.highest()));
    }

    fn highest(&self) -> SequenceNumber {
        self.rows
            .last_key_value()
            .map_or(SequenceNumber::ZERO, |(number, _)| *number)
    }
}

/// The sequence number of each event of the write.
fn numbers(write: &WriteEvents) -> Result<Vec<SequenceNumber>, WriteError> {
    if write.events.is_empty() {
        return Err(WriteError::rejected(write, Rejection::NoEvents));
    }
    (0..write.events.len())
        .map(|index| write.first.plus(index))
        .collect::<Option<Vec<_>>>()
        .filter(|numbers| numbers[0] >= SequenceNumber::FIRST)
        .ok_or_else(|| WriteError::rejected(write, Rejection::SequenceNumbers))
}
