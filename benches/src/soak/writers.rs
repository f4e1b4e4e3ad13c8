use std::error::Error;
use std::process::Stdio;
use std::time::{Duration, Instant};

use annals::{
    Annals, Connection, JournalRef, NewEvent, Payload, PersistenceId, SequenceNumber, Settings,
    Tags, WriteEvents, WriterId, connect,
};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::{DATABASE, Soak};
use crate::database::Server;
use crate::journal::highest;

/// An event carries a tag where the name divides its sequence number.
const TAGS: [(&str, i64); 3] = [("third", 3), ("fifth", 5), ("seventh", 7)];

/// Events of a write, at most.
const MOST: i64 = 100;

/// After a session was killed.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) async fn make_tags(admin: &Connection) -> Result<(), Box<dyn Error>> {
    for (name, _) in TAGS {
        let insert = "insert into tags (name) values ($1) on conflict do nothing";
        admin.execute(insert, &[&name]).await?;
    }
    Ok(())
}

/// The first of those that write through the journal.
pub(super) fn one_of_ours() -> PersistenceId {
    match PersistenceId::of("Ours", "0") {
        Ok(id) => id,
        Err(error) => unreachable!("{error}"),
    }
}

/// So many that write through the journal of this process, for so long.
pub(super) async fn ours(
    annals: &Annals,
    writers: usize,
    time: Duration,
) -> Result<(), Box<dyn Error>> {
    let end = Instant::now() + time;
    let mut writing = JoinSet::new();
    for number in 0..writers {
        let id = PersistenceId::of("Ours", &number.to_string())?;
        let journal = annals.journal().clone();
        writing.spawn(async move {
            let mut dice = fastrand::Rng::with_seed(number as u64);
            while Instant::now() < end {
                // An answer may be lost with its session; what is stored says how to go on.
                if write_on(&journal, &id, end, &mut dice).await.is_err() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
    }
    writing.join_all().await;
    Ok(())
}

async fn write_on(
    journal: &JournalRef,
    id: &PersistenceId,
    end: Instant,
    dice: &mut fastrand::Rng,
) -> Result<(), String> {
    let said = |error: &dyn Error| error.to_string();
    let stored = highest(journal, id.as_str()).await;
    let mut next = stored.map_err(|error| error.to_string())?.next();
    let writer = WriterId::random();
    while Instant::now() < end {
        let first = next.get();
        let numbers = first..first + dice.i64(1..=MOST);
        next = SequenceNumber::new(numbers.end).map_err(|error| said(&error))?;
        let events = numbers.map(event).collect();
        let first = SequenceNumber::new(first).map_err(|error| said(&error))?;
        let write = WriteEvents::new(id.clone(), first, writer, events);
        journal.write(write).await.map_err(|error| said(&error))?;
    }
    Ok(())
}

fn event(number: i64) -> NewEvent {
    let carried = TAGS.into_iter().filter(|(_, every)| number % every == 0);
    NewEvent {
        tags: Tags::of(carried.map(|(name, _)| name)).unwrap_or_default(),
        ..NewEvent::from(Payload::raw(vec![0; 50]))
    }
}

/// Writers by plain SQL, in a process of their own.
pub(super) struct OtherProcess(Child);

impl OtherProcess {
    pub(super) fn start(server: &Server, soak: Soak) -> Result<Self, Box<dyn Error>> {
        let child = Command::new(std::env::current_exe()?)
            .args(["soak-write", "--seconds", &soak.seconds.to_string()])
            .args(["--writers", &soak.writers.div_ceil(2).to_string()])
            .args(["--rollbacks", &soak.rollbacks.to_string()])
            .env("DATABASE_URL", &server.url)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self(child))
    }

    pub(super) async fn wait(&mut self) -> Result<(), Box<dyn Error>> {
        let status = self.0.wait().await?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the other process: {status}").into())
        }
    }
}

/// What the other process does.
pub(crate) async fn by_sql(server: &Settings, soak: Soak) -> Result<(), Box<dyn Error>> {
    let mut config = server.with_database(DATABASE).config().clone();
    config.application_name("soak");
    let settings = Settings::from_config(config)?;
    let end = Instant::now() + Duration::from_secs(soak.seconds);
    let mut writing = JoinSet::new();
    for number in 0..soak.writers {
        let settings = settings.clone();
        writing.spawn(async move {
            let mut dice = fastrand::Rng::with_seed(1000 + number as u64);
            let id = format!("Foreign|{number}");
            while Instant::now() < end {
                if write_by_sql(&settings, &id, soak.rollbacks, end, &mut dice)
                    .await
                    .is_err()
                {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
    }
    writing.join_all().await;
    Ok(())
}

/// Transactions of one to three inserts, of which some are taken back.
async fn write_by_sql(
    settings: &Settings,
    id: &str,
    rollbacks: u8,
    end: Instant,
    dice: &mut fastrand::Rng,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let connection = connect(settings).await?;
    let numbers: Vec<String> = {
        let mut tags = Vec::new();
        for (name, every) in TAGS {
            let id = "select id::int from tags where name = $1";
            let id: i32 = connection.query_one(id, &[&name]).await?.try_get(0)?;
            tags.push(format!("case when number % {every} = 0 then {id} end"));
        }
        tags
    };
    let insert = format!(
        "insert into journal (ordering, persistence_id, sequence_number, message, tags, metadata) \
         select nextval('journal_ordering_seq'), $1, number, decode(repeat('00', 50), 'hex'), \
           array_remove(array[{}], null), '{{\"sid\": 4, \"wid\": \"0f8fad5b-d9cb-469f-a165-70867728950e\", \"t\": 1700000000000}}' \
         from generate_series($2::int8, $3::int8) as number",
        numbers.join(", ")
    );
    let insert = connection.prepare(&insert).await?;
    let highest = "select coalesce(max(sequence_number), 0) from journal where persistence_id = $1";
    let mut last: i64 = connection.query_one(highest, &[&id]).await?.try_get(0)?;
    while Instant::now() < end {
        connection.batch_execute("begin").await?;
        let before = last;
        for _ in 0..dice.u8(1..=3) {
            let to = last + dice.i64(1..=MOST);
            connection
                .execute(&insert, &[&id, &(last + 1), &to])
                .await?;
            last = to;
        }
        if dice.u8(0..100) < rollbacks {
            connection.batch_execute("rollback").await?;
            last = before;
        } else {
            connection.batch_execute("commit").await?;
        }
    }
    Ok(())
}
