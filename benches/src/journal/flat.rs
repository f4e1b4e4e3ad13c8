//! The protocol level: `JournalRef::write` beside the raw client, on flat tables.

use std::error::Error;

use annals::{JournalRef, NewEvent, Payload, PersistenceId, SequenceNumber, WriteEvents, WriterId};

use crate::cases::Case;
use crate::ceiling::{Ceiling, Form};
use crate::database::{fresh, open};
use crate::rounds::{Line, Plan, Side};
use crate::sample::Sample;
use crate::writers::{Failure, Writer, drive};

/// Writers, and the events of each write.
const WORK: [(usize, usize); 6] = [(1, 1), (16, 1), (64, 1), (900, 1), (8, 10), (8, 100)];

pub(super) fn cases() -> Vec<Case> {
    WORK.into_iter()
        .map(|(writers, events)| {
            let work = format!("{writers}x{events}");
            let lines = [format!("flat-{work}"), format!("p99-{work}")];
            Case::new(lines.clone(), move |plan| {
                measure(plan, lines.clone(), writers, events)
            })
        })
        .collect()
}

async fn measure(
    plan: Plan,
    [rate, p99]: [String; 2],
    writers: usize,
    events: usize,
) -> Result<Vec<Line>, Box<dyn Error>> {
    let annals = open(&plan.server).await?;
    let settings = fresh(&plan.server, "annals_bench_ceiling").await?;
    let mut ceiling = Ceiling::open(&settings, Form::Events).await?;
    let mut run = 0;
    let rounds = plan
        .alternate(&rate, async |side, time| match side {
            Side::Ours => {
                run += 1;
                let journal = annals.journal();
                let writers = (0..writers).map(|number| {
                    ProtocolWriter::new(journal, format!("Journal|{run}-{number}"), events)
                });
                drive(writers.collect::<Result<Vec<_>, _>>()?, time).await
            }
            Side::Yardstick => ceiling.measure(writers, events, time).await,
        })
        .await?;
    annals.shutdown().await;
    Ok(vec![
        rounds.line(rate, |sample: &Sample| sample.events_per_second),
        rounds.line(p99, |sample| sample.latency.p99.as_secs_f64() * 1e6),
    ])
}

/// Writes by the protocol, as an entity would.
pub(crate) struct ProtocolWriter {
    journal: JournalRef,
    persistence_id: PersistenceId,
    writer: WriterId,
    next: SequenceNumber,
    events: usize,
}

impl ProtocolWriter {
    pub(crate) fn new(
        journal: &JournalRef,
        persistence_id: String,
        events: usize,
    ) -> Result<Self, Box<dyn Error>> {
        Self::from(journal, persistence_id, SequenceNumber::FIRST, events)
    }

    /// One that goes on at this sequence number.
    pub(crate) fn from(
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
        let write = WriteEvents::new(self.persistence_id.clone(), self.next, self.writer, events);
        let last = write.last().ok_or("no sequence numbers are left")?;
        self.journal.write(write).await?;
        self.next = last.next();
        Ok(self.events as u64)
    }
}
