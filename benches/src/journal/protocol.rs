use std::error::Error;

use annals::{
    Annals, JournalRef, NewEvent, Payload, PersistenceId, ReplayEvents, SequenceNumber,
    WriteEvents, WriterId,
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::entities::ASKED_AT_ONCE;
use crate::writers::{Failure, Work, Writer};

/// Writes by the protocol, as an entity would.
pub(crate) struct ProtocolWriter {
    journal: JournalRef,
    persistence_id: PersistenceId,
    writer: WriterId,
    next: SequenceNumber,
    events: usize,
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

/// The same, with ids that go on where they were.
pub(crate) async fn lasting_writers(
    annals: &Annals,
    work: Work,
) -> Result<Vec<ProtocolWriter>, Box<dyn Error>> {
    let journal = annals.journal();
    stream::iter(0..work.writers)
        .map(async |number| {
            let id = format!("Journal|{number}");
            let next = highest(journal, &id).await?.next();
            ProtocolWriter::at(journal, id, next, work.events)
        })
        .buffered(ASKED_AT_ONCE)
        .try_collect()
        .await
}

/// Zero where nothing is stored.
pub(crate) async fn highest(
    journal: &JournalRef,
    id: &str,
) -> Result<SequenceNumber, Box<dyn Error>> {
    let id = PersistenceId::parse(id)?;
    let nothing = ReplayEvents {
        limit: 0,
        ..ReplayEvents::from(id, SequenceNumber::FIRST)
    };
    Ok(journal.replay(nothing).await?.highest)
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
