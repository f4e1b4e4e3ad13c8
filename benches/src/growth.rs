//! How writing and recovery bend as a journal grows: the grown one beside one of a million events in the
//! same layout, in alternating rounds, and what an event takes on disk.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use annals::{
    Annals, Connection, JournalRef, Layout, NewJournal, Options, PersistenceId, ReplayEvents,
    SequenceNumber, Settings, connect,
};
use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;

use crate::database::fresh;
use crate::journal::{ProtocolWriter, highest};
use crate::meter::Meter;
use crate::rounds::{Line, Plan, Side};
use crate::writers::{Failure, drive};

/// Events of each history where histories are many.
const HISTORY: u64 = 40;
/// Histories that grow side by side where they are many.
const SIDE_BY_SIDE: u64 = 1000;
/// Histories of the nested layout, which is for few long ones.
const NESTED_IDS: u64 = 10;
/// Events of one statement that fills.
const CHUNK: u64 = 500_000;
const MILLION: u64 = 1_000_000;
const WRITERS: usize = 900;
/// Histories that recover at the same time.
const RECOVERED: u64 = 3000;

/// Measures a layout at each size in turn; the last lines hold the medians.
pub(crate) async fn run(
    plan: &Plan,
    layout: Layout,
    millions: &[u64],
) -> Result<(), Box<dyn Error>> {
    let small = Grown::make(plan, layout, "annals_bench_million").await?;
    small.fill(0, MILLION).await?;
    let large = Grown::make(plan, layout, "annals_bench").await?;
    let (mut lines, mut sizes) = (Vec::new(), Vec::new());
    // Writers of each run have ids of their own.
    let (mut events, mut run) = (0, 0);
    for millions in millions {
        large.fill(events, millions * MILLION).await?;
        events = millions * MILLION;
        sizes.push((*millions, large.size(events).await?));
        let case = |what: &str| format!("{what}-{layout}-{millions}M");
        let append = case("append");
        let rounds = plan.alternate(&append, async |side, time| {
            run += 1;
            Grown::of(side, &small, &large)
                .append(run, time, plan.meter)
                .await
        });
        lines.push(rounds.await?.line(append, |rate| rate.0));
        let recover = case("recover");
        let rounds = plan.alternate(&recover, async |side, _| match side {
            Side::Ours => large.recover(events).await,
            Side::Yardstick => small.recover(MILLION).await,
        });
        lines.push(rounds.await?.line(recover, |rate| rate.0));
    }
    println!("\nmillions\ttable bytes an event\tindex bytes an event");
    for (millions, (table, indexes)) in sizes {
        println!("{millions}\t{table:.0}\t{indexes:.0}");
    }
    println!("\n{}", Line::HEAD);
    lines.iter().for_each(Line::print);
    small.annals.shutdown().await;
    large.annals.shutdown().await;
    Ok(())
}

struct Grown {
    annals: Annals,
    settings: Settings,
    layout: Layout,
}

struct Rate(f64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.0} a second", self.0)
    }
}

impl Grown {
    async fn make(plan: &Plan, layout: Layout, name: &str) -> Result<Self, Box<dyn Error>> {
        let settings = fresh(&plan.server.settings, name).await?;
        let size = match layout {
            Layout::Nested => MILLION / 2,
            Layout::Flat | Layout::Ordering => 5 * MILLION,
        };
        let size = NonZeroU64::new(size).ok_or("a partition of nothing")?;
        let journal = NewJournal::new(layout).partition_size(size);
        let annals = Options::new(settings.clone())
            .layout(journal)
            .open()
            .await?;
        Ok(Self {
            annals,
            settings,
            layout,
        })
    }

    const fn of<'a>(side: Side, small: &'a Self, large: &'a Self) -> &'a Self {
        match side {
            Side::Ours => large,
            Side::Yardstick => small,
        }
    }

    /// Goes on from `from` events to `to`, by the server itself, in the order in which entities would
    /// have written; each partition is there before its rows are. Where a history goes on that was measured
    /// at the size before, the numbers that its writers took stay theirs.
    async fn fill(&self, from: u64, to: u64) -> Result<(), Box<dyn Error>> {
        let connection = connect(&self.settings).await?;
        connection
            .batch_execute("set annals.writer = 'on'; set synchronous_commit = off")
            .await?;
        let (id, number) = match self.layout {
            Layout::Nested => (
                format!("'Long|' || event % {NESTED_IDS}"),
                format!("event / {NESTED_IDS} + 1"),
            ),
            Layout::Flat | Layout::Ordering => (
                format!(
                    "'Counter|' || event / {} * {SIDE_BY_SIDE} + event % {SIDE_BY_SIDE}",
                    HISTORY * SIDE_BY_SIDE
                ),
                format!("event % {} / {SIDE_BY_SIDE} + 1", HISTORY * SIDE_BY_SIDE),
            ),
        };
        let ordering = match self.layout {
            Layout::Ordering => ("ordering, ", "nextval('journal_ordering_seq'), "),
            Layout::Flat | Layout::Nested => ("", ""),
        };
        let mut filled = from;
        while filled < to {
            let end = (filled + CHUNK).min(to);
            self.make_room(filled, end).await?;
            let fill = format!(
                "insert into journal ({}persistence_id, sequence_number, message, tags, metadata) \
                 select {}{id}, {number}, decode(repeat('00', 100), 'hex'), '{{}}', \
                   '{{\"sid\": 4, \"wid\": \"0f8fad5b-d9cb-469f-a165-70867728950e\", \"t\": 1700000000000}}' \
                 from generate_series({filled}, {end} - 1) as event \
                 on conflict do nothing",
                ordering.0, ordering.1
            );
            connection.batch_execute(&fill).await?;
            filled = end;
            println!("{} {filled} events", self.layout);
        }
        if self.layout.is_partitioned() {
            connection.batch_execute(KEEP_METADATA).await?;
        }
        connection.batch_execute("vacuum analyze journal").await?;
        connection.batch_execute("checkpoint").await?;
        Ok(())
    }

    /// A write of each history that the next chunk goes on with makes its partitions, and is taken back.
    async fn make_room(&self, from: u64, to: u64) -> Result<(), Box<dyn Error>> {
        let connection = connect(&self.settings).await?;
        match self.layout {
            Layout::Flat => {}
            Layout::Ordering => {
                let next: i64 = connection
                    .query_one("select last_value from journal_ordering_seq", &[])
                    .await?
                    .get(0);
                let last = next + i64::try_from(to - from)?;
                for number in next / 5_000_000..=last / 5_000_000 {
                    let sql = partition(
                        &format!("j_{number}"),
                        "journal",
                        number * 5_000_000,
                        5_000_000,
                    );
                    beside_the_maintainer(&connection, &sql).await?;
                }
            }
            Layout::Nested => {
                for id in 0..NESTED_IDS {
                    let parent = format!("j_long_{id}");
                    connection
                        .batch_execute(&format!(
                            "create table if not exists {parent} partition of journal for values in ('Long|{id}') \
                             partition by range (sequence_number)"
                        ))
                        .await?;
                    let last = to / NESTED_IDS + 1;
                    for number in 0..=last / (MILLION / 2) {
                        let size = i64::try_from(MILLION / 2)?;
                        let number = i64::try_from(number)?;
                        let name = format!("{parent}_{number}");
                        let sql = format!(
                            "create table if not exists {name} partition of {parent} for values from ({}) to ({})",
                            number * size,
                            (number + 1) * size
                        );
                        connection.batch_execute(&sql).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// As many writers as suit the server, each on a history of its own.
    async fn append(
        &self,
        run: usize,
        time: Duration,
        meter: Meter,
    ) -> Result<Rate, Box<dyn Error>> {
        let journal = self.annals.journal();
        let writers: Vec<_> = match self.layout {
            // Each of them goes on with a history that is there.
            Layout::Nested => {
                let mut writers = Vec::new();
                for id in 0..NESTED_IDS {
                    let id = format!("Long|{id}");
                    let next = highest(journal, &id).await?.next();
                    writers.push(ProtocolWriter::at(journal, id, next, 100)?);
                }
                writers
            }
            Layout::Flat | Layout::Ordering => (0..WRITERS)
                .map(|number| {
                    let id = format!("Append|{run}-{number}");
                    ProtocolWriter::at(journal, id, SequenceNumber::FIRST, 1)
                })
                .collect::<Result<_, _>>()?,
        };
        let sample = drive(writers, time, meter).await?;
        Ok(Rate(sample.events_per_second))
    }

    /// The last forty events of many histories, spread over the whole journal, at the same time.
    async fn recover(&self, events: u64) -> Result<Rate, Box<dyn Error>> {
        let (histories, from) = match self.layout {
            // Not quite the end, which has moved on by what was appended.
            Layout::Nested => (NESTED_IDS, events / NESTED_IDS - 1000),
            Layout::Flat | Layout::Ordering => (events / HISTORY, 1),
        };
        let begin = Instant::now();
        let mut tasks = JoinSet::new();
        for turn in 0..RECOVERED {
            // A stride that is no divisor of the count visits each once before any twice.
            let (layout, history) = (self.layout, turn * 7919 % histories);
            let journal = self.annals.journal().clone();
            tasks.spawn(async move { recover_one(&journal, layout, history, from).await });
        }
        while let Some(replayed) = tasks.join_next().await {
            replayed?.map_err(|failure| failure as Box<dyn Error>)?;
        }
        Ok(Rate(RECOVERED as f64 / begin.elapsed().as_secs_f64()))
    }

    /// Bytes of the table and of its indexes, an event.
    async fn size(&self, events: u64) -> Result<(f64, f64), Box<dyn Error>> {
        let connection = connect(&self.settings).await?;
        let row = connection.query_one(SIZES, &[]).await?;
        let (table, indexes): (i64, i64) = (row.get(0), row.get(1));
        Ok((table as f64 / events as f64, indexes as f64 / events as f64))
    }
}

async fn recover_one(
    journal: &JournalRef,
    layout: Layout,
    history: u64,
    from: u64,
) -> Result<(), Failure> {
    let id = match layout {
        Layout::Nested => format!("Long|{history}"),
        Layout::Flat | Layout::Ordering => format!("Counter|{history}"),
    };
    let id = PersistenceId::parse(id)?;
    let wanted = ReplayEvents {
        limit: HISTORY,
        ..ReplayEvents::from(id, SequenceNumber::new(i64::try_from(from)?)?)
    };
    let replayed = journal.replay(wanted).await?.collect().await?;
    match replayed.len() as u64 {
        HISTORY => Ok(()),
        count => Err(format!("{count} events instead of {HISTORY}").into()),
    }
}

/// The maintainer of the open journal may make the same partition at the same moment: then it is there.
async fn beside_the_maintainer(
    connection: &Connection,
    sql: &str,
) -> Result<(), tokio_postgres::Error> {
    loop {
        match connection.batch_execute(sql).await {
            Err(error) if error.code() == Some(&SqlState::DUPLICATE_TABLE) => {}
            made => return made,
        }
    }
}

fn partition(name: &str, parent: &str, from: i64, size: i64) -> String {
    format!(
        "create table if not exists {name} partition of {parent} for values from ({from}) to ({}); \
         create unique index if not exists {name}_persistence_sequence_idx on {name} (persistence_id, sequence_number)",
        from + size
    )
}

const KEEP_METADATA: &str = "\
insert into journal_metadata as kept (persistence_id, max_sequence_number, max_ordering, min_ordering) \
select persistence_id, max(sequence_number), max(ordering), min(ordering) from journal group by persistence_id \
on conflict (persistence_id) do update set \
  max_sequence_number = excluded.max_sequence_number, max_ordering = excluded.max_ordering";

const SIZES: &str = "\
select sum(pg_table_size(relid))::int8, sum(pg_indexes_size(relid))::int8 \
from pg_partition_tree('journal') where isleaf \
union all select pg_table_size('journal'), pg_indexes_size('journal') \
where not exists (select from pg_partition_tree('journal') where level > 0) \
order by 1 nulls last limit 1";
