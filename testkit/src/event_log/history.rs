use std::collections::{BTreeMap, HashMap};

use annals_persistence::{
    EventEnvelope, Offset, Rejection, ReplaceEvent, Replay, ReplayEvents, SequenceNumber,
    WriteError, WriteEvents, WriterId,
};

/// The events of one persistence id.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Deleted events stay, so that their numbers stay taken and a repeated write is recognised.
    rows: BTreeMap<SequenceNumber, EventEnvelope>,
    deleted_to: SequenceNumber,
    /// Where each writer's history broke off: nothing of it may be stored behind that.
    broken_at: HashMap<WriterId, SequenceNumber>,
}

impl History {
    /// Stores the events, all or none, and gives the new rows; a repeated write is stored already
    /// and makes none.
    pub(super) fn write(
        &mut self,
        write: &WriteEvents,
        newest: &mut Offset,
    ) -> Result<Vec<&EventEnvelope>, WriteError> {
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
            return Ok(Vec::new());
        }
        if numbers.iter().any(|number| stored(number).is_some()) {
            return Err(WriteError::Conflict {
                persistence_id: write.persistence_id.clone(),
                attempted: write.first,
                highest: self.highest(),
            });
        }
        let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
        for (number, event) in numbers.into_iter().zip(&write.events) {
            *newest = Offset::new(newest.get() + 1);
            let row = EventEnvelope {
                persistence_id: write.persistence_id.clone(),
                sequence_number: number,
                offset: *newest,
                timestamp: write.timestamp,
                writer: writer.clone(),
                event_manifest: event.event_manifest.clone().into_owned(),
                payload: event.payload.clone(),
                metadata: event.metadata.clone(),
            };
            self.rows.insert(number, row);
        }
        Ok(self.rows.range(first..=last).map(|(_, row)| row).collect())
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
            .visible(replay.from, replay.to)
            .take(usize::try_from(replay.limit).unwrap_or(usize::MAX))
            .cloned()
            .collect();
        Replay::complete(self.highest(), self.deleted_to, events)
    }

    /// What is not deleted, by sequence number.
    pub(super) fn visible(
        &self,
        from: SequenceNumber,
        to: SequenceNumber,
    ) -> impl Iterator<Item = &EventEnvelope> {
        self.stored_from(from)
            .take_while(move |row| row.sequence_number <= to)
            .filter(|row| row.sequence_number > self.deleted_to)
    }

    /// The same and what is.
    pub(super) fn stored_from(&self, from: SequenceNumber) -> impl Iterator<Item = &EventEnvelope> {
        self.rows.range(from..).map(|(_, row)| row)
    }

    pub(super) fn delete(&mut self, to: SequenceNumber) {
        self.deleted_to = self.deleted_to.max(to.min(self.highest()));
    }

    /// Tells whether there is such an event, deleted or not.
    pub(super) fn replace(&mut self, replace: &ReplaceEvent) -> bool {
        let Some(row) = self.rows.get_mut(&replace.sequence_number) else {
            return false;
        };
        row.payload = replace.payload.clone();
        row.metadata = replace.metadata.clone();
        row.event_manifest = replace.event_manifest.clone().into_owned();
        true
    }

    pub(super) fn highest(&self) -> SequenceNumber {
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
