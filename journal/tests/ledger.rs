//! What writers were told, held against what is stored.

use std::collections::HashMap;

use annals_persistence::{
    JournalRef, Outcome, PersistenceId, ReplayEvents, SequenceNumber, WriteError,
};
use tokio::sync::watch;

use crate::store::Store;
use crate::writes::{id, write};

/// Everything that was tried.
#[derive(Default)]
pub(crate) struct Ledger(Vec<Attempt>);

struct Attempt {
    persistence_id: PersistenceId,
    first: i64,
    /// Texts that no other attempt has.
    texts: Vec<String>,
    told: Result<(), WriteError>,
}

/// How the attempts of a ledger ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) stored: usize,
    pub(crate) not_stored: usize,
    pub(crate) unknown: usize,
}

/// Writes one to three events at a time under one persistence id, one write behind the other, and
/// reads after each failure where to go on; ends when told so.
pub(crate) async fn keep_writing(
    journal: JournalRef,
    author: u64,
    done: watch::Receiver<bool>,
) -> Ledger {
    let mut dice = fastrand::Rng::with_seed(author);
    let persistence_id = id(format!("author-{author}"));
    let (mut ledger, mut first) = (Ledger::default(), 1);
    while !*done.borrow() {
        let attempt = ledger.0.len();
        let texts: Vec<_> = (0..=dice.u64(..3))
            .map(|event| format!("{author} {attempt} {event}"))
            .collect();
        let told = journal.write(write(&persistence_id, first, &texts)).await;
        let next = match &told {
            Ok(()) => first + texts.len() as i64,
            Err(_) => highest(&journal, &persistence_id).await + 1,
        };
        ledger.note(&persistence_id, first, texts, told);
        first = next;
    }
    ledger
}

/// Asks until there is an answer: the server may be away.
pub(crate) async fn highest(journal: &JournalRef, persistence_id: &PersistenceId) -> i64 {
    loop {
        let replay = ReplayEvents::from(persistence_id.clone(), SequenceNumber::FIRST);
        if let Ok(replay) = journal.replay(replay).await {
            return replay.highest.get();
        }
        tokio::task::yield_now().await;
    }
}

impl Ledger {
    /// Adds a write of texts that no other has.
    pub(crate) fn note(
        &mut self,
        persistence_id: &PersistenceId,
        first: i64,
        texts: Vec<String>,
        told: Result<(), WriteError>,
    ) {
        self.0.push(Attempt {
            persistence_id: persistence_id.clone(),
            first,
            texts,
            told,
        });
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many writes were tried.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Expects of the table: what was stored is there once and in its place; what was not stored is
    /// not there; what is unknown is there as a whole or not at all; no history has a hole; and
    /// nothing else is there.
    pub(crate) async fn check(&self, store: &Store) -> Told {
        let sql = "select persistence_id, sequence_number, convert_from(message, 'UTF8') \
                   from journal order by 1, 2";
        let rows = store.connect().await.query(sql, &[]).await.unwrap();
        let mut highest: HashMap<String, i64> = HashMap::new();
        let mut found: HashMap<String, (String, i64)> = HashMap::new();
        for row in &rows {
            let (persistence_id, number): (String, i64) = (row.get(0), row.get(1));
            let last = highest.entry(persistence_id.clone()).or_default();
            assert_eq!(number, *last + 1, "a hole in {persistence_id}");
            *last = number;
            let text: String = row.get(2);
            let twice = found.insert(text, (persistence_id, number));
            assert_eq!(twice, None, "stored twice");
        }

        let mut told = Told {
            stored: 0,
            not_stored: 0,
            unknown: 0,
        };
        for attempt in &self.0 {
            let there: Vec<_> = attempt.texts.iter().map(|it| found.remove(it)).collect();
            match &attempt.told {
                Ok(()) => {
                    told.stored += 1;
                    let id = attempt.persistence_id.as_str();
                    for (number, there) in (attempt.first..).zip(there) {
                        assert_eq!(
                            there,
                            Some((id.to_owned(), number)),
                            "told that it is stored"
                        );
                    }
                }
                Err(error) if error.outcome() == Outcome::NotStored => {
                    told.not_stored += 1;
                    let none = there.iter().all(Option::is_none);
                    assert!(none, "stored in spite of: {error:?}");
                }
                Err(error) => {
                    told.unknown += 1;
                    let some = there.iter().filter(|it| it.is_some()).count();
                    assert!(some == 0 || some == there.len(), "half of: {error:?}");
                }
            }
        }
        assert!(found.is_empty(), "nobody wrote {found:?}");
        told
    }
}
