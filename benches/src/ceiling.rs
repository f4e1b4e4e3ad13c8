//! What a raw client reaches on our own tables: no actors, no protocol, one fixed payload, the same
//! lanes. Two forms: the insert alone, which is what our journal sends, and the insert that also
//! keeps `journal_metadata`, as the plugin's trigger would.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use annals::{Settings, connect};
use annals_postgres::migrate;
use annals_rows::JsonbText;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Client;

use crate::meter::Meter;
use crate::sample::Sample;
use crate::writers::{Failure, Work, Writer, drive};

const INSERT: &str = "\
insert into journal (sequence_number, persistence_id, message, tags, metadata) \
select s, p, m, '{}'::int[], j \
from (select unnest($1::int8[]) as s, unnest($2::text[]) as p, unnest($3::bytea[]) as m, unnest($4::jsonb[]) as j) as w";

const INSERT_AND_METADATA: &str = "\
with stored as ( \
  insert into journal (sequence_number, persistence_id, message, tags, metadata) \
  select s, p, m, '{}'::int[], j \
  from (select unnest($1::int8[]) as s, unnest($2::text[]) as p, unnest($3::bytea[]) as m, unnest($4::jsonb[]) as j) as w \
  returning ordering, persistence_id, sequence_number \
) \
insert into journal_metadata as kept (persistence_id, max_sequence_number, max_ordering, min_ordering) \
select persistence_id, max(sequence_number), max(ordering), \
  case when min(sequence_number) = 1 then min(ordering) else -1 end \
from stored group by 1 order by 1 \
on conflict (persistence_id) do update set \
  max_sequence_number = greatest(kept.max_sequence_number, excluded.max_sequence_number), \
  max_ordering = greatest(kept.max_ordering, excluded.max_ordering)";

pub(crate) const METADATA: &str =
    r#"{"sid":4,"wid":"0e6b1f2e-6f0d-4c58-9d5b-9a9f3f1d8a10","t":1763700000000}"#;

const LANES: usize = 4;
const OPEN_AT: usize = 32;
const BATCH: usize = 400;

struct Write {
    persistence_id: Arc<str>,
    first: i64,
    events: usize,
    done: oneshot::Sender<()>,
}

/// What the raw client does with each batch.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Events,
    EventsAndMetadata,
}

impl Form {
    const fn statement(self) -> &'static str {
        match self {
            Self::Events => INSERT,
            Self::EventsAndMetadata => INSERT_AND_METADATA,
        }
    }
}

/// A raw client with everything prepared.
pub(crate) struct Ceiling {
    writes: mpsc::Sender<Write>,
    run: u32,
}

impl Ceiling {
    /// Makes the tables where there are none and opens the lanes.
    pub(crate) async fn open(settings: &Settings, form: Form) -> Result<Self, Box<dyn Error>> {
        migrate(settings).await?;
        let (free, freed) = mpsc::unbounded_channel();
        let mut lanes = Vec::new();
        for number in 0..LANES {
            let (batches, work) = mpsc::unbounded_channel();
            let connection = connect(settings).await?;
            let free = free.clone();
            tokio::spawn(async move {
                if let Err(error) = lane(number, form, &connection, work, free).await {
                    eprintln!("a lane of the ceiling failed: {error}");
                }
            });
            lanes.push(batches);
        }
        let (writes, inbox) = mpsc::channel(4096);
        tokio::spawn(dispatch(lanes, inbox, freed));
        Ok(Self { writes, run: 0 })
    }

    /// So many writers, each with one write under way.
    pub(crate) async fn measure(
        &mut self,
        work: Work,
        time: Duration,
        meter: Meter,
    ) -> Result<Sample, Box<dyn Error>> {
        self.run += 1;
        let writers = (0..work.writers).map(|number| RawWriter {
            writes: self.writes.clone(),
            persistence_id: format!("Ceiling|{}-{number}", self.run).into(),
            first: 1,
            events: work.events,
        });
        drive(writers, time, meter).await
    }
}

struct RawWriter {
    writes: mpsc::Sender<Write>,
    persistence_id: Arc<str>,
    first: i64,
    events: usize,
}

impl Writer for RawWriter {
    async fn write(&mut self) -> Result<u64, Failure> {
        let (done, answer) = oneshot::channel();
        let write = Write {
            persistence_id: Arc::clone(&self.persistence_id),
            first: self.first,
            events: self.events,
            done,
        };
        self.writes.send(write).await?;
        answer.await?;
        self.first += self.events as i64;
        Ok(self.events as u64)
    }
}

async fn dispatch(
    lanes: Vec<mpsc::UnboundedSender<Vec<Write>>>,
    mut inbox: mpsc::Receiver<Write>,
    mut freed: mpsc::UnboundedReceiver<usize>,
) {
    let mut idle: Vec<usize> = (0..lanes.len()).rev().collect();
    let (mut waiting, mut events) = (VecDeque::new(), 0);
    let mut arrived = Vec::new();
    loop {
        tokio::select! {
            biased;
            Some(lane) = freed.recv() => {
                idle.push(lane);
                idle.sort_unstable_by(|a, b| b.cmp(a));
            }
            count = inbox.recv_many(&mut arrived, 1024) => {
                if count == 0 {
                    return;
                }
                events += arrived.iter().map(|write: &Write| write.events).sum::<usize>();
                waiting.extend(arrived.drain(..));
            }
        }
        while !waiting.is_empty()
            && !idle.is_empty()
            && (idle.len() == lanes.len() || events >= OPEN_AT)
        {
            let share = (events / idle.len()).clamp(OPEN_AT, BATCH);
            let (mut batch, mut taken) = (Vec::new(), 0);
            while taken < share
                && let Some(write) = waiting.pop_front()
            {
                taken += write.events;
                batch.push(write);
            }
            events -= taken;
            if let Some(lane) = idle.pop() {
                // A lane that failed has said so; its writers see no answer.
                let _ = lanes[lane].send(batch);
            }
        }
    }
}

async fn lane(
    number: usize,
    form: Form,
    connection: &Client,
    mut work: mpsc::UnboundedReceiver<Vec<Write>>,
    free: mpsc::UnboundedSender<usize>,
) -> Result<(), tokio_postgres::Error> {
    let insert = connection.prepare(form.statement()).await?;
    let body = [0_u8; 100];
    let json = JsonbText(METADATA.to_owned());
    while let Some(batch) = work.recv().await {
        let (mut numbers, mut ids) = (Vec::new(), Vec::new());
        for write in &batch {
            numbers.extend((write.first..).take(write.events));
            ids.extend(std::iter::repeat_n(&*write.persistence_id, write.events));
        }
        let messages = vec![&body[..]; numbers.len()];
        let metadata = vec![&json; numbers.len()];
        connection
            .execute(&insert, &[&numbers, &ids, &messages, &metadata])
            .await?;
        // Without a dispatcher nobody sends work any more.
        let _ = free.send(number);
        for write in batch {
            // A writer that is gone has stopped measuring.
            let _ = write.done.send(());
        }
    }
    Ok(())
}
