//! Many histories that are asked for at the same time, beside a raw client that reads 100 of them a
//! query on four connections; and entities that are recovered from them.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use annals::{
    Connection, JournalRef, Options, PersistenceId, ReplayEvents, SequenceNumber, Settings, connect,
};
use tokio::task::JoinSet;
use tokio_postgres::Statement;

use crate::cases::Case;
use crate::database::open;
use crate::journal::reads::{Rate, fill};
use crate::live::spawn;
use crate::meter::{Meter, Spent};
use crate::rounds::{Line, Plan, Side};

/// Histories, and the events of each.
const WORK: [(usize, usize); 2] = [(3_000, 40), (10_000, 10)];

/// What a task may end with.
type Failure = Box<dyn Error + Send + Sync>;

const CONNECTIONS: usize = 4;
const A_QUERY: usize = 100;

const RAW: &str = "\
select persistence_id, ordering, sequence_number, message, metadata::text from journal \
where persistence_id = any($1) and sequence_number >= 1 and not deleted \
order by persistence_id, sequence_number";

pub(super) fn cases() -> Vec<Case> {
    WORK.into_iter()
        .map(|(histories, events)| {
            let work = format!("{histories}x{events}");
            let lines = [
                format!("recover-{work}"),
                format!("recover-entities-{work}"),
            ];
            Case::new(lines.clone(), move |plan| {
                measure(plan, lines.clone(), histories, events)
            })
        })
        .collect()
}

async fn measure(
    plan: Plan,
    [protocol, entities]: [String; 2],
    histories: usize,
    events: usize,
) -> Result<Vec<Line>, Box<dyn Error>> {
    let annals = open(&plan.server.settings).await?;
    let settings = annals.settings();
    // As writers that take turns leave them.
    let rows = format!(
        "generate_series(1, {events}) as number, generate_series(0, {histories} - 1) as history \
         order by history / 50, number, history"
    );
    let connection = connect(settings).await?;
    fill(&connection, "'Counter|' || history", &rows).await?;
    let raw = Raw::open(settings, histories).await?;
    let all = histories * events;
    let meter = plan.meter;
    let replayed = plan
        .alternate(&protocol, async |side, time| {
            Metered::measure(meter, "histories", time, async || {
                let seen = match side {
                    Side::Ours => replay(annals.journal().clone(), histories).await?,
                    Side::Yardstick => raw.read().await?,
                };
                assert_eq!(seen, all);
                Ok(histories)
            })
            .await
        })
        .await?;
    let recovered = plan
        .alternate(&entities, async |side, time| match side {
            Side::Ours => {
                Rate::measure("entities", time, async || {
                    recover(settings, histories).await
                })
                .await
            }
            Side::Yardstick => {
                Rate::measure("histories", time, async || {
                    raw.read().await?;
                    Ok(histories)
                })
                .await
            }
        })
        .await?;
    annals.shutdown().await;
    Ok(vec![
        replayed.line(protocol, |metered: &Metered| metered.rate.a_second),
        recovered.line(entities, |rate| rate.a_second),
    ])
}

/// A rate, and the processor time that each one took.
struct Metered {
    rate: Rate,
    each: Spent,
}

impl Metered {
    async fn measure(
        meter: Meter,
        of: &'static str,
        time: Duration,
        mut read: impl AsyncFnMut() -> Result<usize, Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        let (before, mut count) = (meter.read(), 0_u32);
        let rate = Rate::measure(of, time, async || {
            let read = read().await?;
            count += u32::try_from(read)?;
            Ok(read)
        });
        let rate = rate.await?;
        let spent = meter.read().since(before);
        let each = Spent {
            client: spent.client / count,
            server: spent.server.map(|server| server / count),
        };
        Ok(Self { rate, each })
    }
}

impl fmt::Display for Metered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spent { client, server } = self.each;
        write!(f, "{}  processor {client:.1?}", self.rate)?;
        match server {
            Some(server) => write!(f, " + {server:.1?}"),
            None => Ok(()),
        }
    }
}

fn name(history: usize) -> String {
    format!("Counter|{history}")
}

/// All asked for at once, by a task of the runtime as the raw readers are: for a thread beside it the
/// runtime would have to be woken, and the thread for each answer.
async fn replay(journal: JournalRef, histories: usize) -> Result<usize, Box<dyn Error>> {
    let seen = tokio::spawn(async move {
        let mut replays = JoinSet::new();
        for history in 0..histories {
            replays.spawn(replay_one(journal.clone(), history));
        }
        let mut seen = 0;
        while let Some(replayed) = replays.join_next().await {
            seen += replayed??;
        }
        Ok::<_, Failure>(seen)
    });
    seen.await?.map_err(|failure| -> Box<dyn Error> { failure })
}

async fn replay_one(journal: JournalRef, history: usize) -> Result<usize, Failure> {
    let persistence_id = PersistenceId::parse(name(history))?;
    let wanted = ReplayEvents::from(persistence_id, SequenceNumber::FIRST);
    let mut replay = journal.replay(wanted).await?;
    let mut seen = 0;
    while let Some(batch) = replay.next_batch().await? {
        seen += batch.len();
        black_box(batch);
    }
    Ok(seen)
}

/// Entities that look for a snapshot first, behind a journal that was opened for them.
async fn recover(settings: &Settings, histories: usize) -> Result<usize, Box<dyn Error>> {
    let annals = Options::new(settings.clone())
        .without_migrations()
        .open()
        .await?;
    let (live, _) = spawn(annals.entities(), histories).await?;
    drop(live);
    annals.shutdown().await;
    Ok(histories)
}

/// Four connections with everything prepared.
struct Raw {
    connections: Vec<Arc<(Connection, Statement)>>,
    histories: usize,
}

impl Raw {
    async fn open(settings: &Settings, histories: usize) -> Result<Self, Box<dyn Error>> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let connection = connect(settings).await?;
            let statement = connection.prepare(RAW).await?;
            connections.push(Arc::new((connection, statement)));
        }
        Ok(Self {
            connections,
            histories,
        })
    }

    async fn read(&self) -> Result<usize, Box<dyn Error>> {
        let names: Vec<String> = (0..self.histories).map(name).collect();
        let mut readers = JoinSet::new();
        for (number, connection) in self.connections.iter().enumerate() {
            let queries = names.chunks(A_QUERY).skip(number).step_by(CONNECTIONS);
            let mine: Vec<Vec<String>> = queries.map(<[String]>::to_vec).collect();
            let connection = Arc::clone(connection);
            readers.spawn(async move {
                let (connection, statement) = &*connection;
                let mut seen = 0;
                for ids in mine {
                    let mut bytes: HashMap<String, usize> = HashMap::new();
                    for row in connection.query(statement, &[&ids]).await? {
                        black_box(row.try_get::<_, i64>(1)?);
                        black_box(row.try_get::<_, i64>(2)?);
                        black_box(row.try_get::<_, &str>(4)?);
                        *bytes.entry(row.try_get(0)?).or_default() +=
                            row.try_get::<_, &[u8]>(3)?.len();
                        seen += 1;
                    }
                    black_box(bytes);
                }
                Ok::<usize, tokio_postgres::Error>(seen)
            });
        }
        let mut seen = 0;
        while let Some(reader) = readers.join_next().await {
            seen += reader??;
        }
        Ok(seen)
    }
}
