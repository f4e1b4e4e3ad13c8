use std::error::Error;

use annals::{
    Annals, JournalRef, NewEvent, Payload, PersistenceId, SequenceNumber, WriteEvents, WriterId,
};

use crate::writers::{Failure, Work, Writer};

/// Writes by the protocol, as an entity would.
pub(crate) struct ProtocolWriter {
    journal: JournalRef,
    persistence_id: PersistenceId,
    writer: WriterId,
    next: SequenceNumber,
    events: usize,
}

/// So many writers of so many events a write, with ids of their own.
pub(crate) fn writers(
    annals: &Annals,
    run: impl std::fmt::Display,
    work: Work,
) -> Result<Vec<ProtocolWriter>, Box<dyn Error>> {
    (0..work.writers)
        .map(|number| {
            let id = format!("Journal|{run}-{number}");
            ProtocolWriter::at(annals.journal(), id, SequenceNumber::FIRST, work.events)
        })
        .collect()
}

impl ProtocolWriter {
    /// One that goes on at this sequence number, so many events a write.
    pub(crate) fn at(
        journal: &JournalRef,
        persistence_id: String,
        next: SequenceNumber,
        events: usize,
    ) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            journal: journal.clone(),
            persistence_id: PersistenceId::parse(persistence_id)?,
            writer: WriterId::random(),
            next,
            events,
        })
    }
}

impl Writer for ProtocolWriter {
    async fn write(&mut self) -> Result<u64, Failure> {
        let payload = Payload::raw(vec![0; 100]);
        let events = vec![NewEvent::from(payload); self.events];
        let id = self.persistence_id.clone();
        let write = WriteEvents::new(id, self.next, self.writer, events);
        let last = write.last().ok_or("no sequence numbers are left")?;
        self.journal.write(write).await?;
        self.next = last.next();
        Ok(self.events as u64)
    }
}
