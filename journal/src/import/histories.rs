//! Which event of a history comes next: a state machine without I/O.

use std::collections::HashMap;

use annals_persistence::{Offset, PersistenceId, SequenceNumber};

use super::{ImportFailure, Named};

/// How far the histories are that an import has met.
#[derive(Debug)]
pub(super) struct Histories {
    highest: HashMap<PersistenceId, SequenceNumber>,
    resumes: bool,
    orderings: Orderings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Orderings {
    Unknown,
    OfTheJournal,
    OfTheEvents { last: Offset },
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Store,
    PassOver,
}

/// Histories that are remembered; those beyond are looked up again.
const REMEMBERED: usize = 200_000;

impl Histories {
    pub(super) fn new(resumes: bool) -> Self {
        Self {
            highest: HashMap::new(),
            resumes,
            orderings: Orderings::Unknown,
        }
    }

    /// Those of which nothing is known, each once.
    pub(super) fn unknown<'a>(
        &mut self,
        ids: impl Iterator<Item = &'a PersistenceId>,
    ) -> Vec<&'a PersistenceId> {
        if self.highest.len() > REMEMBERED {
            self.highest.clear();
        }
        let mut unknown: Vec<_> = ids.filter(|it| !self.highest.contains_key(it)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// What the journal has of a history.
    pub(super) fn learn(&mut self, persistence_id: PersistenceId, highest: SequenceNumber) {
        self.highest.insert(persistence_id, highest);
    }

    /// Takes the next event of the stream, of a history that is known.
    pub(super) fn take(&mut self, event: &Named) -> Result<Step, ImportFailure> {
        let (id, number) = (&event.persistence_id, event.sequence_number);
        let highest = self.highest.get(id).copied().unwrap_or_default();
        if number <= highest {
            return match self.resumes {
                true => Ok(Step::PassOver),
                false => Err(ImportFailure::Taken {
                    persistence_id: id.clone(),
                    sequence_number: number,
                    highest,
                }),
            };
        }
        let begins_late = highest == SequenceNumber::ZERO && event.deleted;
        if number != highest.next() && !begins_late {
            return Err(ImportFailure::Hole {
                persistence_id: id.clone(),
                found: number,
                expected: highest.next(),
            });
        }
        self.take_ordering(event)?;
        self.highest.insert(id.clone(), number);
        Ok(Step::Store)
    }

    fn take_ordering(&mut self, event: &Named) -> Result<(), ImportFailure> {
        self.orderings = match (self.orderings, event.ordering) {
            (Orderings::Unknown | Orderings::OfTheJournal, None) => Orderings::OfTheJournal,
            (Orderings::Unknown, Some(ordering)) => Orderings::OfTheEvents { last: ordering },
            (Orderings::OfTheEvents { last }, Some(ordering)) if ordering > last => {
                Orderings::OfTheEvents { last: ordering }
            }
            (Orderings::OfTheEvents { last }, Some(ordering)) => {
                return Err(ImportFailure::Ordering {
                    persistence_id: event.persistence_id.clone(),
                    sequence_number: event.sequence_number,
                    ordering,
                    above: last,
                });
            }
            (Orderings::OfTheJournal, Some(_)) | (Orderings::OfTheEvents { .. }, None) => {
                return Err(ImportFailure::MixedOrderings {
                    persistence_id: event.persistence_id.clone(),
                    sequence_number: event.sequence_number,
                });
            }
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use annals_persistence::{Payload, Timestamp, WriterId};

    use super::*;

    fn event(id: &str, number: i64) -> Named {
        Named {
            persistence_id: PersistenceId::parse(id).unwrap(),
            sequence_number: SequenceNumber::new(number).unwrap(),
            event: Payload::text("x").into(),
            writer: WriterId::random().to_string(),
            timestamp: Timestamp::from_millis(0),
            deleted: false,
            ordering: None,
        }
    }

    fn after(id: &str, highest: i64, resumes: bool) -> Histories {
        let mut histories = Histories::new(resumes);
        histories.learn(
            PersistenceId::parse(id).unwrap(),
            SequenceNumber::new(highest).unwrap(),
        );
        histories
    }

    #[test]
    fn each_history_goes_on_where_the_journal_ends() {
        let mut histories = after("a", 7, false);
        assert_eq!(histories.take(&event("a", 8)).unwrap(), Step::Store);
        assert_eq!(histories.take(&event("b", 1)).unwrap(), Step::Store);
        assert_eq!(histories.take(&event("a", 9)).unwrap(), Step::Store);
        let hole = histories.take(&event("b", 3)).unwrap_err();
        assert!(
            hole.to_string().contains("event 3 of b comes where 2"),
            "{hole}"
        );
        let again = histories.take(&event("a", 9)).unwrap_err();
        assert!(matches!(again, ImportFailure::Taken { .. }), "{again}");
    }

    #[test]
    fn who_resumes_passes_over_what_is_there() {
        let mut histories = after("a", 2, true);
        assert_eq!(histories.take(&event("a", 1)).unwrap(), Step::PassOver);
        assert_eq!(histories.take(&event("a", 2)).unwrap(), Step::PassOver);
        assert_eq!(histories.take(&event("a", 3)).unwrap(), Step::Store);
    }

    #[test]
    fn a_history_may_begin_late_where_its_beginning_was_deleted() {
        let mut histories = Histories::new(false);
        let mut late = event("a", 100);
        assert!(histories.take(&late).is_err());
        late.deleted = true;
        assert_eq!(histories.take(&late).unwrap(), Step::Store);
        assert_eq!(histories.take(&event("a", 101)).unwrap(), Step::Store);
    }

    #[test]
    fn orderings_come_with_all_events_and_grow_or_with_none() {
        let at = |number, ordering| Named {
            ordering: Some(Offset::new(ordering)),
            ..event("a", number)
        };
        let mut histories = Histories::new(false);
        histories.take(&at(1, 10)).unwrap();
        histories.take(&at(2, 12)).unwrap();
        let back = histories.take(&at(3, 12)).unwrap_err();
        assert!(matches!(back, ImportFailure::Ordering { .. }), "{back}");
        let mixed = histories.take(&event("a", 3)).unwrap_err();
        assert!(
            matches!(mixed, ImportFailure::MixedOrderings { .. }),
            "{mixed}"
        );
    }
}
