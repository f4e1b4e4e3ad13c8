use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use annals::{
    Annals, Connection, JournalRef, NewEvent, Offset, Payload, PersistenceId, SequenceNumber, Tag,
    Tags, WriteEvents, WriterId, connect,
};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::cases::Case;
use crate::database::open;
use crate::rounds::{Line, Plan, Side};
use crate::sample::{Latencies, Latency};
use crate::writers::{Failure, Writer, drive};

const LATENCY: [&str; 4] = [
    "to-1-subscriber-p50-us",
    "to-1-subscriber-p99-us",
    "to-1000-subscribers-p50-us",
    "to-1000-subscribers-p99-us",
];
const RATE: &str = "writers-beside-1000-subscribers";
const IDLE: &str = "idle-statements-a-second";

/// Writers whose sum at full speed is the append limit.
const WRITERS: usize = 64;

/// Live readers, in the cases with more than one.
const MANY: usize = 1000;

pub(super) fn cases() -> Vec<Case> {
    let latency = LATENCY.into_iter().chain([RATE]);
    vec![
        Case::new(latency, latency_and_rate),
        Case::new([IDLE], idle),
    ]
}

/// From the answer to a write to its event at the subscriber, at half of what the writers can do, beside a
/// client that polls without a pause and without a care for gaps. And what the writers get done beside the
/// subscribers, next to what they get done without.
async fn latency_and_rate(plan: Plan) -> Result<Vec<Line>, Box<dyn Error>> {
    let mut lines = Vec::new();
    let half = half_of_the_limit(&plan).await?;
    println!("half of the limit: {half:.0} events/s");
    let mut names = LATENCY.into_iter();
    for subscribers in [1, MANY] {
        let case = format!("to-{subscribers}");
        let rounds = plan.alternate(&case, async |side, time| {
            let annals = open(&plan.server.settings).await?;
            let readers = match side {
                Side::Ours => Readers::Subscribers(subscribers),
                Side::Yardstick => Readers::Poller,
            };
            let heard = hear(&plan, &annals, readers, half, time).await?;
            annals.shutdown().await;
            Ok(heard)
        });
        let rounds = rounds.await?;
        for figure in [|it: &Heard| it.latency.p50, |it: &Heard| it.latency.p99] {
            let name = names.next().ok_or("a figure without a name")?;
            lines.push(rounds.line(name, |heard| figure(heard).as_secs_f64() * 1e6));
        }
    }
    let rounds = plan.alternate(RATE, async |side, time| {
        let annals = open(&plan.server.settings).await?;
        let readers = match side {
            Side::Ours => Readers::Subscribers(MANY),
            Side::Yardstick => Readers::None,
        };
        let heard = hear(&plan, &annals, readers, half, time).await?;
        annals.shutdown().await;
        Ok(heard)
    });
    lines.push(rounds.await?.line(RATE, |heard| heard.rate));
    Ok(lines)
}

#[derive(Clone, Copy)]
enum Readers {
    None,
    /// Each by a tag of its own: together they get every event once.
    Subscribers(usize),
    Poller,
}

#[derive(Clone, Copy)]
struct Heard {
    latency: Latency,
    rate: f64,
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>8.0} events/s  p50 {:>7.2?}  p99 {:>7.2?}  longest {:>7.2?}",
            self.rate, self.latency.p50, self.latency.p99, self.latency.longest
        )
    }
}

async fn half_of_the_limit(plan: &Plan) -> Result<f64, Box<dyn Error>> {
    let annals = open(&plan.server.settings).await?;
    let writers = (0..WRITERS).map(|number| Paced::new(&annals, number, 1, None));
    let writers = writers.collect::<Result<Vec<_>, _>>()?;
    let sample = drive(writers, plan.time, plan.meter).await?;
    annals.shutdown().await;
    Ok(sample.events_per_second / 2.0)
}

async fn hear(
    plan: &Plan,
    annals: &Annals,
    readers: Readers,
    rate: f64,
    time: Duration,
) -> Result<Heard, Box<dyn Error>> {
    let pause = Duration::from_secs_f64(WRITERS as f64 / rate);
    let tags = match readers {
        Readers::Subscribers(subscribers) => subscribers,
        Readers::None | Readers::Poller => 1,
    };
    let writers = (0..WRITERS).map(|number| Paced::new(annals, number, tags, Some(pause)));
    let writers = writers.collect::<Result<Vec<_>, _>>()?;
    let answered: Arc<[Answers]> = writers.iter().map(|it| Arc::clone(&it.answers)).collect();
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut reading = JoinSet::new();
    match readers {
        Readers::None => {}
        Readers::Subscribers(subscribers) => {
            for number in 0..subscribers {
                let mut events = annals.query().events_by_tag(&tag(number), Offset::start());
                let tell = tell.clone();
                reading.spawn(async move {
                    while let Some(Ok(event)) = events.next().await {
                        let place = (event.persistence_id, event.sequence_number.get());
                        if tell.send((place, Instant::now())).is_err() {
                            return;
                        }
                    }
                });
            }
        }
        Readers::Poller => {
            let settings = plan.server.settings.with_database("annals_bench");
            let connection = connect(&settings).await?;
            let tell = tell.clone();
            reading.spawn(async move {
                // It ends with the bench; what it could not read is missed and noticed below.
                let _ = poll(&connection, &tell).await;
            });
        }
    }
    drop(tell);
    if !matches!(readers, Readers::None) {
        greet(annals, tags, &mut told).await?;
    }
    let sample = drive(writers, time, plan.meter).await?;
    let written = answered.iter().map(|it| it.count()).sum::<u64>();
    let mut latencies = Latencies::default();
    let mut heard = 0;
    let patience = match readers {
        Readers::None => Duration::ZERO,
        Readers::Subscribers(_) => Duration::from_secs(30),
        // What it lost will never come.
        Readers::Poller => Duration::from_millis(300),
    };
    while heard < written && !patience.is_zero() {
        let waited = tokio::time::timeout(patience, told.recv()).await;
        let Ok(Some(((id, number), at))) = waited else {
            if matches!(readers, Readers::Poller) {
                println!("the client that polls lost {} events", written - heard);
                break;
            }
            return Err(format!("{heard} events of {written} were heard of").into());
        };
        let writer: usize = id.entity_id().parse()?;
        latencies.record(answered[writer].since(number, at));
        heard += 1;
    }
    reading.shutdown().await;
    Ok(Heard {
        latency: latencies.summary(),
        rate: sample.events_per_second,
    })
}

/// One event for each, so that all are there before anything counts.
async fn greet(
    annals: &Annals,
    tags: usize,
    told: &mut mpsc::UnboundedReceiver<(Place, Instant)>,
) -> Result<(), Box<dyn Error>> {
    let id = PersistenceId::of("Greeting", "all")?;
    let greetings = (0..tags).map(|number| {
        Ok(NewEvent {
            tags: Tags::of([tag(number)])?,
            ..NewEvent::from(Payload::raw(Vec::new()))
        })
    });
    let greetings = greetings.collect::<Result<_, Box<dyn Error>>>()?;
    let write = WriteEvents::new(id, SequenceNumber::FIRST, WriterId::random(), greetings);
    annals.journal().write(write).await?;
    for _ in 0..tags {
        told.recv().await.ok_or("a reader has ended")?;
    }
    Ok(())
}

type Place = (PersistenceId, i64);

/// Loses events where two writers commit in another order than that of their numbers; here it goes back a
/// little each time and drops what it has seen, which makes it slower and mostly right.
async fn poll(
    connection: &Connection,
    tell: &mpsc::UnboundedSender<(Place, Instant)>,
) -> Result<(), Failure> {
    let select = connection
        .prepare(
            "select ordering, persistence_id, sequence_number, message, metadata from journal \
             where ordering > $1 order by ordering limit 1000",
        )
        .await?;
    let (mut seen, mut after) = (std::collections::BTreeSet::new(), 0_i64);
    loop {
        let rows = connection.query(&select, &[&(after - BACK)]).await?;
        let at = Instant::now();
        for row in rows {
            let ordering: i64 = row.try_get(0)?;
            if seen.insert(ordering) {
                let id = PersistenceId::parse(row.try_get::<_, &str>(1)?)?;
                if tell.send(((id, row.try_get(2)?), at)).is_err() {
                    return Ok(());
                }
                after = after.max(ordering);
            }
        }
        while seen.first().is_some_and(|first| *first < after - 2 * BACK) {
            seen.pop_first();
        }
    }
}

/// Orderings that may still be under way.
const BACK: i64 = 200;

/// When each write of one writer was answered, in microseconds since the beginning; zero: not yet.
struct Answered {
    begin: Instant,
    micros: Vec<AtomicU64>,
    count: AtomicU64,
}

type Answers = Arc<Answered>;

/// More than a writer gets done.
const MOST: usize = 200_000;

impl Answered {
    fn note(&self, number: i64) {
        let micros = self.begin.elapsed().as_micros() as u64;
        self.micros[number as usize % MOST].store(micros.max(1), Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Nothing where the event came before the answer.
    fn since(&self, number: i64, heard: Instant) -> Duration {
        let answered = self.micros[number as usize % MOST].load(Ordering::Relaxed);
        let answered = self.begin + Duration::from_micros(answered);
        heard.saturating_duration_since(answered)
    }
}

fn tag(number: usize) -> String {
    format!("subscriber:{number}")
}

/// Writes one event at a time, with the tags in turn, and not faster than it should.
struct Paced {
    journal: JournalRef,
    persistence_id: PersistenceId,
    writer: WriterId,
    next: SequenceNumber,
    tags: Vec<Tags>,
    turn: usize,
    pause: Option<tokio::time::Interval>,
    answers: Answers,
}

impl Paced {
    fn new(
        annals: &Annals,
        number: usize,
        tags: usize,
        pause: Option<Duration>,
    ) -> Result<Self, Box<dyn Error>> {
        let tags = (0..tags).map(|number| Tag::new(tag(number)));
        let tags = tags.map(|tag| Ok(Tags::of([tag?.as_str()])?));
        Ok(Self {
            journal: annals.journal().clone(),
            persistence_id: PersistenceId::of("Live", &number.to_string())?,
            writer: WriterId::random(),
            next: SequenceNumber::FIRST,
            tags: tags.collect::<Result<_, Box<dyn Error>>>()?,
            turn: number * 17,
            pause: pause.map(|pause| {
                let mut interval = tokio::time::interval(pause);
                interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
                interval
            }),
            answers: Arc::new(Answered {
                begin: Instant::now(),
                micros: (0..MOST).map(|_| AtomicU64::new(0)).collect(),
                count: AtomicU64::new(0),
            }),
        })
    }
}

impl Writer for Paced {
    async fn write(&mut self) -> Result<u64, Failure> {
        if let Some(pause) = &mut self.pause {
            pause.tick().await;
        }
        let tags = self.tags[self.turn % self.tags.len()].clone();
        self.turn += 1;
        let event = NewEvent {
            tags,
            ..NewEvent::from(Payload::raw(vec![0; 100]))
        };
        let write = WriteEvents::new(
            self.persistence_id.clone(),
            self.next,
            self.writer,
            vec![event],
        );
        self.journal.write(write).await?;
        self.answers.note(self.next.get());
        self.next = self.next.next();
        Ok(1)
    }
}

/// What a process with a thousand live subscribers asks of the server while nothing happens, beside the
/// twenty that it may.
async fn idle(plan: Plan) -> Result<Vec<Line>, Box<dyn Error>> {
    let annals = open(&plan.server.settings).await?;
    let mut reading = JoinSet::new();
    for number in 0..MANY {
        let mut events = annals.query().events_by_tag(&tag(number), Offset::start());
        reading.spawn(async move { while events.next().await.is_some() {} });
    }
    let connection = connect(&plan.server.settings).await?;
    let statements = async || -> Result<i64, tokio_postgres::Error> {
        let count = "select xact_commit from pg_stat_database where datname = 'annals_bench'";
        Ok(connection.query_one(count, &[]).await?.get(0))
    };
    // Sessions tell what they have done about once a second.
    let settle = Duration::from_secs(6);
    tokio::time::sleep(settle).await;
    let mut ours = Vec::new();
    for round in 1..=plan.rounds {
        let (before, begin) = (statements().await?, Instant::now());
        tokio::time::sleep(plan.time.max(settle)).await;
        let rate = (statements().await? - before) as f64 / begin.elapsed().as_secs_f64();
        println!("{IDLE}  round {round}  {rate:.1}");
        ours.push(rate);
    }
    reading.shutdown().await;
    annals.shutdown().await;
    let bar = vec![20.0; ours.len()];
    Ok(vec![Line::new(IDLE, ours, bar)])
}
