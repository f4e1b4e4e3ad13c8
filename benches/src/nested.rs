//! The nested layout beside the flat one with metadata kept, at a growing number of persistence ids: where
//! a partition for each stops paying.

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use annals::PersistenceId;
use annals::{
    Annals, Layout, NewJournal, Options, ReplayEvents, SequenceNumber, Settings, connect,
};
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::database::fresh;
use crate::journal::ProtocolWriter;
use crate::rounds::{Line, Plan, Side};
use crate::writers::{Failure, Writer, drive};

/// Writers at the same time, where there are as many persistence ids.
const WRITERS: usize = 900;
/// Replays at the same time.
const REPLAYS: usize = 64;
/// Events of a replay at most.
const EVENTS: u64 = 40;

/// Measures with so many persistence ids, one number behind the other.
pub(crate) async fn run(plan: &Plan, ids: &[usize]) -> Result<(), Box<dyn Error>> {
    let mut lines = Vec::new();
    for ids in ids {
        let flat = NewJournal::new(Layout::Flat).keep_metadata();
        let nested =
            Journal::open(plan, "annals_bench", NewJournal::new(Layout::Nested), *ids).await?;
        let flat = Journal::open(plan, "annals_bench_other", flat, *ids).await?;
        for events in [1, 100] {
            let case = format!("append-{events}-nested-{ids}");
            let mut run = 0;
            let rounds = plan.alternate(&case, async |side, time| {
                run += 1;
                let journal = side_of(side, &nested, &flat);
                let writers = journal.writers(run, events).await?;
                drive(writers, time, plan.meter).await
            });
            lines.push(rounds.await?.line(case, |it| it.events_per_second));
        }
        let case = format!("recover-nested-{ids}");
        let rounds = plan.alternate(&case, async |side, time| {
            side_of(side, &nested, &flat).recover(time).await
        });
        lines.push(rounds.await?.line(case, |it| it.a_second));
        let case = format!("read-all-nested-{ids}");
        let rounds = plan.alternate(&case, async |side, time| {
            side_of(side, &nested, &flat).read_all(time).await
        });
        lines.push(rounds.await?.line(case, |it| it.a_second));
        nested.annals.shutdown().await;
        flat.annals.shutdown().await;
    }
    println!("\n{}", Line::HEAD);
    lines.iter().for_each(Line::print);
    Ok(())
}

const fn side_of<'a>(side: Side, nested: &'a Journal, flat: &'a Journal) -> &'a Journal {
    match side {
        Side::Ours => nested,
        Side::Yardstick => flat,
    }
}

/// A journal in which each persistence id has its first events.
struct Journal {
    annals: Annals,
    settings: Settings,
    ids: usize,
}

struct Rate {
    a_second: f64,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.1} a second", self.a_second)
    }
}

impl Rate {
    fn of(count: usize, begin: Instant) -> Self {
        let a_second = count as f64 / begin.elapsed().as_secs_f64();
        Self { a_second }
    }
}

impl Journal {
    async fn open(
        plan: &Plan,
        name: &str,
        layout: NewJournal,
        ids: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let settings = fresh(&plan.server.settings, name).await?;
        let options = Options::new(settings.clone()).layout(layout.clone());
        let journal = Self {
            annals: options.open().await?,
            settings,
            ids,
        };
        let begin = Instant::now();
        let write = |number| {
            let writer = journal.writer(number, SequenceNumber::FIRST, EVENTS as usize);
            async move { writer?.write().await }
        };
        stream::iter((0..ids).map(write))
            .buffer_unordered(WRITERS)
            .try_for_each(async |_| Ok(()))
            .await
            .map_err(|failure| failure as Box<dyn Error>)?;
        println!("{name}  {} histories begun", Rate::of(ids, begin));
        Ok(journal)
    }

    fn id(number: usize) -> String {
        format!("Long|{number}")
    }

    fn writer(
        &self,
        number: usize,
        next: SequenceNumber,
        events: usize,
    ) -> Result<ProtocolWriter, Failure> {
        ProtocolWriter::at(self.annals.journal(), Self::id(number), next, events)
            .map_err(|error| error.to_string().into())
    }

    /// As many as suit the server, each on a history that is there.
    async fn writers(
        &self,
        run: usize,
        events: usize,
    ) -> Result<Vec<ProtocolWriter>, Box<dyn Error>> {
        let mut writers = Vec::new();
        for number in 0..WRITERS.min(self.ids) {
            let number = (run * WRITERS + number) % self.ids;
            let id = PersistenceId::parse(Self::id(number))?;
            let nothing = ReplayEvents {
                limit: 0,
                ..ReplayEvents::from(id, SequenceNumber::FIRST)
            };
            let next = self.annals.journal().replay(nothing).await?.highest.next();
            let writer = self.writer(number, next, events);
            writers.push(writer.map_err(|failure| failure as Box<dyn Error>)?);
        }
        Ok(writers)
    }

    /// Replays of the first events, many at the same time.
    async fn recover(&self, time: Duration) -> Result<Rate, Box<dyn Error>> {
        let begin = Instant::now();
        let replay = async |turn: usize| -> Result<(), Failure> {
            let id = PersistenceId::parse(Self::id(turn * 7919 % self.ids))?;
            let wanted = ReplayEvents {
                limit: EVENTS,
                ..ReplayEvents::from(id, SequenceNumber::FIRST)
            };
            let replayed = self
                .annals
                .journal()
                .replay(wanted)
                .await?
                .collect()
                .await?;
            match replayed.len() as u64 {
                EVENTS => Ok(()),
                count => Err(format!("{count} events instead of {EVENTS}").into()),
            }
        };
        let count = stream::iter(0..)
            .take_while(|_| std::future::ready(begin.elapsed() < time))
            .map(replay)
            .buffer_unordered(REPLAYS)
            .try_fold(0, async |count, ()| Ok(count + 1))
            .await
            .map_err(|failure| failure as Box<dyn Error>)?;
        Ok(Rate::of(count, begin))
    }

    /// What a reader of all events asks again and again: the next hundred in their order. None where the
    /// server cannot do it.
    async fn read_all(&self, time: Duration) -> Result<Rate, Box<dyn Error>> {
        let connection = connect(&self.settings).await?;
        connection
            .batch_execute("set plan_cache_mode = force_custom_plan")
            .await?;
        let page = "select ordering from journal where ordering > $1 order by ordering limit 100";
        let page = connection.prepare(page).await?;
        let newest = "select last_value from journal_ordering_seq";
        let newest: i64 = connection.query_one(newest, &[]).await?.get(0);
        let (begin, mut count) = (Instant::now(), 0);
        while begin.elapsed() < time {
            if let Err(error) = connection.query(&page, &[&(newest - 100)]).await {
                println!(
                    "{}",
                    error
                        .as_db_error()
                        .map_or_else(|| error.to_string(), ToString::to_string)
                );
                break;
            }
            count += 1;
        }
        Ok(Rate::of(count, begin))
    }
}
