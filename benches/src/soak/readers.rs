use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use annals::{
    Annals, Connection, EventEnvelope, EventStream, Offset, PersistenceId, QueryError, QueryRef,
    Selection, SequenceNumber, Settings, SliceRange, Tag, connect,
};
use futures::{StreamExt, TryStreamExt};
use tokio::task::JoinHandle;

use super::verdict::Verdict;
use super::writers::one_of_ours;

/// An event as it stands in the table.
pub(super) struct Stored {
    offset: i64,
    persistence_id: PersistenceId,
    tags: Vec<Tag>,
}

/// A live reader, and what it was given.
pub(super) struct Reader {
    name: String,
    which: Which,
    given: Arc<Mutex<Given>>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
enum Which {
    Selected(Selection),
    One(PersistenceId),
}

#[derive(Default)]
struct Given {
    offsets: Vec<i64>,
    restarts: usize,
    reasons: BTreeMap<String, usize>,
}

impl Given {
    fn ended(&mut self, why: Option<Result<EventEnvelope, QueryError>>) {
        self.restarts += 1;
        let reason = match why {
            Some(Err(error)) => reason(&error),
            _ => "the stream ended".to_owned(),
        };
        *self.reasons.entry(reason).or_default() += 1;
    }
}

fn reason(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", reason(source)),
        None => error.to_string(),
    }
}

/// Between the end of a stream and the next one.
const PAUSE: Duration = Duration::from_millis(20);

impl Reader {
    pub(super) fn of_every_kind(annals: &Annals) -> Vec<Self> {
        let selected = [
            ("all", Selection::all()),
            ("by tag", tagged("third")),
            ("by expression", tagged("third & !fifth | seventh")),
            ("by slices", Selection::slices(quarter())),
            (
                "by type, slices and tag",
                tagged("fifth").of_type("Foreign").within(quarter()),
            ),
        ];
        let one = ("by persistence id".to_owned(), Which::One(one_of_ours()));
        selected
            .into_iter()
            .map(|(name, which)| (name.to_owned(), Which::Selected(which)))
            .chain([one])
            .map(|(name, which)| Self::start(name, which, annals.query().clone()))
            .collect()
    }

    fn start(name: String, which: Which, queries: QueryRef) -> Self {
        let given = Arc::<Mutex<Given>>::default();
        let (wanted, notes) = (which.clone(), Arc::clone(&given));
        let task = tokio::spawn(async move {
            let (mut after, mut number) = (Offset::start(), SequenceNumber::FIRST);
            loop {
                let mut events = wanted.open(&queries, after, number);
                loop {
                    match events.next().await {
                        Some(Ok(event)) => {
                            (after, number) = (event.offset, event.sequence_number.next());
                            note(&notes).offsets.push(event.offset.get());
                        }
                        // The session that read was killed, most likely.
                        ended => {
                            note(&notes).ended(ended);
                            break;
                        }
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self {
            name,
            which,
            given,
            task,
        }
    }

    /// Reads what lies behind the highest number that it has seen.
    pub(super) async fn naive(settings: &Settings) -> Result<Self, Box<dyn Error>> {
        let connection = connect(settings).await?;
        let given = Arc::<Mutex<Given>>::default();
        let notes = Arc::clone(&given);
        let task = tokio::spawn(async move {
            let select =
                "select ordering from journal where ordering > $1 order by ordering limit 1000";
            let mut after = 0_i64;
            while let Ok(rows) = connection.query(select, &[&after]).await {
                let offsets: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
                after = offsets.last().copied().unwrap_or(after);
                note(&notes).offsets.extend(offsets);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        Ok(Self {
            name: "naive".to_owned(),
            which: Which::Selected(Selection::all()),
            given,
            task,
        })
    }

    /// Once it has been given the last that it should be given, or the deadline has passed.
    pub(super) async fn verdict(self, stored: &[Stored], deadline: Instant) -> Verdict {
        let expected: Vec<i64> = stored
            .iter()
            .filter(|event| self.which.includes(event))
            .map(|event| event.offset)
            .collect();
        let last = expected.last().copied().unwrap_or_default();
        while Instant::now() < deadline {
            if note(&self.given)
                .offsets
                .last()
                .is_some_and(|it| *it >= last)
            {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.task.abort();
        let given = note(&self.given);
        for (reason, times) in &given.reasons {
            println!("{}: {times} times: {reason}", self.name);
        }
        Verdict::of(&self.name, &expected, &given.offsets, given.restarts)
    }
}

/// A task that panicked must not hide behind a poisoned lock.
fn note(given: &Mutex<Given>) -> std::sync::MutexGuard<'_, Given> {
    given.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Which {
    fn open(&self, queries: &QueryRef, after: Offset, number: SequenceNumber) -> EventStream {
        match self {
            Self::Selected(which) => queries.events(which.clone(), after),
            Self::One(id) => queries.events_by_persistence_id(id, number, SequenceNumber::MAX),
        }
    }

    fn includes(&self, event: &Stored) -> bool {
        match self {
            Self::One(id) => *id == event.persistence_id,
            Self::Selected(which) => {
                let carries = |tag: &Tag| event.tags.contains(tag);
                which.includes(&event.persistence_id)
                    && which.tags().is_none_or(|tags| tags.matches(carries))
            }
        }
    }
}

fn quarter() -> SliceRange {
    let all = SliceRange::split(4).unwrap_or_default();
    all.get(1).copied().unwrap_or(SliceRange::ALL)
}

fn tagged(expression: &str) -> Selection {
    match expression.parse::<annals::TagExpression>() {
        Ok(tags) => Selection::all().tagged(tags),
        Err(error) => unreachable!("{error}"),
    }
}

/// The truth, in its order.
pub(super) async fn stored(admin: &Connection) -> Result<Vec<Stored>, Box<dyn Error>> {
    let select = "select ordering, persistence_id, \
                    array(select name from tags where id = any(journal.tags)) \
                  from journal order by ordering";
    let rows = admin.query_raw(select, Vec::<String>::new()).await?;
    let stored = rows.map(|row| {
        let row = row?;
        let tags: Vec<String> = row.try_get(2)?;
        Ok::<_, Box<dyn Error>>(Stored {
            offset: row.try_get(0)?,
            persistence_id: PersistenceId::parse(row.try_get::<_, String>(1)?)?,
            tags: tags.into_iter().map(Tag::new).collect::<Result<_, _>>()?,
        })
    });
    stored.try_collect().await
}
