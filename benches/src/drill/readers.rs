use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use annals::{
    Annals, Connection, JournalRef, Offset, PersistenceId, ReplayEvents, Selection, SequenceNumber,
};
use futures::StreamExt;
use tokio::task::JoinHandle;

use super::filled::Filled;
use crate::soak::verdict::Verdict;
use crate::writers::Failure;

/// A live reader that has passed what leaves, and what it was given since.
pub(super) struct Reader {
    /// Everything where there is none.
    id: Option<String>,
    given: Arc<Mutex<Given>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Given {
    offsets: Vec<i64>,
    restarts: usize,
    why: Option<String>,
}

const PAUSE: Duration = Duration::from_millis(20);

impl Reader {
    pub(super) fn of_both_kinds(
        annals: &Annals,
        filled: &Filled,
    ) -> Result<Vec<Self>, Box<dyn Error>> {
        let one = filled.ids.first().cloned();
        [None, one]
            .into_iter()
            .map(|id| Self::start(annals, filled, id))
            .collect()
    }

    fn start(annals: &Annals, filled: &Filled, id: Option<String>) -> Result<Self, Box<dyn Error>> {
        let given = Arc::<Mutex<Given>>::default();
        let (queries, notes) = (annals.query().clone(), Arc::clone(&given));
        let one = id.as_deref().map(PersistenceId::parse).transpose()?;
        let mut after = Offset::new(filled.leaving_to);
        let mut number = SequenceNumber::new(filled.staying_from)?;
        let task = tokio::spawn(async move {
            loop {
                let mut events = match &one {
                    None => queries.events(Selection::all(), after),
                    Some(id) => queries.events_by_persistence_id(id, number, SequenceNumber::MAX),
                };
                loop {
                    match events.next().await {
                        Some(Ok(event)) => {
                            (after, number) = (event.offset, event.sequence_number.next());
                            note(&notes).offsets.push(event.offset.get());
                        }
                        ended => {
                            let mut given = note(&notes);
                            given.restarts += 1;
                            given.why = ended.and_then(Result::err).map(|error| error.to_string());
                            break;
                        }
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Ok(Self { id, given, task })
    }

    /// Once it has been given the last event, or the deadline has passed.
    pub(super) async fn verdict(
        self,
        admin: &Connection,
        filled: &Filled,
        deadline: Instant,
    ) -> Result<Verdict, Box<dyn Error>> {
        let stored = "select ordering from journal where case when $1::text is null then ordering > $2 \
                      else persistence_id = $1 and sequence_number >= $3 end order by ordering";
        let (id, after, from) = (&self.id, filled.leaving_to, filled.staying_from);
        let rows = admin.query(stored, &[id, &after, &from]).await?;
        let expected: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        let last = expected.last().copied().unwrap_or_default();
        while note(&self.given).offsets.last().is_none_or(|it| *it < last)
            && Instant::now() < deadline
        {
            tokio::time::sleep(PAUSE).await;
        }
        self.task.abort();
        let given = note(&self.given);
        let name = self.id.as_deref().unwrap_or("all");
        if let Some(why) = &given.why {
            println!("{name}: began again, the last time because {why}");
        }
        Ok(Verdict::of(name, &expected, &given.offsets, given.restarts))
    }
}

/// A task that panicked must not hide behind a poisoned lock.
fn note(given: &Mutex<Given>) -> MutexGuard<'_, Given> {
    given.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error where the history cannot be replayed from 1 to `last`, number by number.
pub(super) async fn replayed(journal: &JournalRef, id: &str, last: i64) -> Result<(), Failure> {
    let id = PersistenceId::parse(id)?;
    let all = ReplayEvents::from(id, SequenceNumber::FIRST);
    let mut replay = journal.replay(all).await?;
    let mut next = 1;
    while let Some(batch) = replay.next_batch().await? {
        for event in batch {
            if event.sequence_number.get() != next {
                let found = event.sequence_number;
                return Err(format!("{found} comes where {next} should").into());
            }
            next += 1;
        }
    }
    if next <= last {
        return Err(format!("{last} was acknowledged, and {next} is missing").into());
    }
    Ok(())
}

/// Events that a reader from the beginning is not given.
pub(super) async fn unreadable(
    annals: &Annals,
    admin: &Connection,
) -> Result<usize, Box<dyn Error>> {
    let stored: i64 = admin
        .query_one("select count(*) from journal", &[])
        .await?
        .get(0);
    let mut events = annals
        .query()
        .current_events(Selection::all(), Offset::start());
    let (mut given, mut last) = (0, 0);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) if event.offset.get() > last => {
                last = event.offset.get();
                given += 1;
            }
            Ok(_) => {}
            Err(error) => {
                println!("from the beginning: {error}");
                break;
            }
        }
    }
    Ok(usize::try_from((stored - given).max(0))?)
}
