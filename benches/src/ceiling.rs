//! What a raw client reaches on the JVM plugin's own flat tables: no actors, no protocol, one fixed
//! payload, the same lanes. Two forms: the insert alone, which is what our journal sends, and the
//! insert that also keeps `journal_metadata`, as the plugin's trigger would.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use annals::{Settings, connect};
use annals_rows::JsonbText;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Client;

use crate::sample::{Sample, histogram};

const TABLES: &str = include_str!("../../schemas/flat/0001_journal.sql");

const INSERT: &str = "\
insert into journal (sequence_number, persistence_id, message, tags, metadata) \
select s, p, m, '{}'::int[], j \
from unnest($1::int8[], $2::text[], $3::bytea[], $4::jsonb[]) as w(s, p, m, j)";

const INSERT_AND_METADATA: &str = "\
with stored as ( \
  insert into journal (sequence_number, persistence_id, message, tags, metadata) \
  select s, p, m, '{}'::int[], j \
  from unnest($1::int8[], $2::text[], $3::bytea[], $4::jsonb[]) as w(s, p, m, j) \
  returning ordering, persistence_id, sequence_number \
) \
insert into journal_metadata as kept (persistence_id, max_sequence_number, max_ordering, min_ordering) \
select persistence_id, max(sequence_number), max(ordering), \
  case when min(sequence_number) = 1 then min(ordering) else -1 end \
from stored group by 1 order by 1 \
on conflict (persistence_id) do update set \
  max_sequence_number = greatest(kept.max_sequence_number, excluded.max_sequence_number), \
  max_ordering = greatest(kept.max_ordering, excluded.max_ordering)";

const METADATA: &str =
    r#"{"t": 1763700000000, "sid": 4, "wid": "0e6b1f2e-6f0d-4c58-9d5b-9a9f3f1d8a10"}"#;

const LANES: usize = 4;
const OPEN_AT: usize = 32;
const BATCH: usize = 400;

struct Write {
    persistence_id: Arc<str>,
    sequence_number: i64,
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
    /// Makes the tables in an empty database and opens the lanes.
    pub(crate) async fn open(settings: &Settings, form: Form) -> Result<Self, Box<dyn Error>> {
        connect(settings).await?.batch_execute(TABLES).await?;
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

    /// So many writers, each with one event under way.
    pub(crate) async fn measure(&mut self, writers: usize, time: Duration) -> Sample {
        self.run += 1;
        let begin = Instant::now();
        let tasks: Vec<_> = (0..writers)
            .map(|writer| {
                let (writes, run) = (self.writes.clone(), self.run);
                tokio::spawn(async move {
                    let persistence_id: Arc<str> = format!("Ceiling|{run}-{writer}").into();
                    let (mut latencies, mut stored) = (histogram(), 0);
                    while begin.elapsed() < time {
                        let sent = Instant::now();
                        let (done, answer) = oneshot::channel();
                        let write = Write {
                            persistence_id: Arc::clone(&persistence_id),
                            sequence_number: stored + 1,
                            done,
                        };
                        if writes.send(write).await.is_err() || answer.await.is_err() {
                            break;
                        }
                        stored += 1;
                        latencies.saturating_record(sent.elapsed().as_micros() as u64);
                    }
                    (stored, latencies)
                })
            })
            .collect();
        let (mut events, mut latencies) = (0, histogram());
        for task in tasks {
            let (stored, some) = task.await.expect("a writer of the ceiling panicked");
            events += stored as u64;
            latencies.add(some).expect("all have the same bounds");
        }
        Sample::new(events, begin.elapsed(), &latencies)
    }
}

async fn dispatch(
    lanes: Vec<mpsc::UnboundedSender<Vec<Write>>>,
    mut inbox: mpsc::Receiver<Write>,
    mut freed: mpsc::UnboundedReceiver<usize>,
) {
    let mut idle: Vec<usize> = (0..lanes.len()).rev().collect();
    let mut waiting = VecDeque::new();
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
                waiting.extend(arrived.drain(..));
            }
        }
        while !waiting.is_empty()
            && !idle.is_empty()
            && (idle.len() == lanes.len() || waiting.len() >= OPEN_AT)
        {
            let share = (waiting.len() / idle.len()).clamp(OPEN_AT, BATCH);
            let batch = waiting.drain(..share.min(waiting.len())).collect();
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
    while let Some(batch) = work.recv().await {
        let body = [0_u8; 100];
        let numbers: Vec<i64> = batch.iter().map(|write| write.sequence_number).collect();
        let ids: Vec<&str> = batch.iter().map(|write| &*write.persistence_id).collect();
        let messages: Vec<&[u8]> = batch.iter().map(|_| &body[..]).collect();
        let metadata: Vec<JsonbText> = batch
            .iter()
            .map(|_| JsonbText(METADATA.to_owned()))
            .collect();
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
