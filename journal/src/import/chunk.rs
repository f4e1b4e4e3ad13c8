//! What goes into one transaction.

use std::collections::HashMap;

use annals_persistence::{PersistenceId, SequenceNumber};

use super::Named;

/// Events that are stored together; at least one.
pub(super) struct Chunk {
    pub(super) events: Vec<Named>,
}

/// What the metadata of the persistence ids of a chunk is told, column by column, in the order of ids.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Kept<'a> {
    pub(super) ids: Vec<&'a str>,
    pub(super) firsts: Vec<i64>,
    pub(super) lasts: Vec<i64>,
    pub(super) lowest: Vec<i64>,
    pub(super) highest: Vec<i64>,
}

impl Chunk {
    pub(super) fn first(&self) -> (PersistenceId, SequenceNumber) {
        place(&self.events[0])
    }

    pub(super) fn last(&self) -> (PersistenceId, SequenceNumber) {
        place(&self.events[self.events.len() - 1])
    }

    /// The orderings that the events bring, if they do.
    pub(super) fn orderings(&self) -> Option<Vec<i64>> {
        let orderings = self.events.iter().map(|it| Some(it.ordering?.get()));
        orderings.collect()
    }

    /// `orderings` has the one of each event, in ascending order.
    pub(super) fn kept(&self, orderings: &[i64]) -> Kept<'_> {
        let mut places = HashMap::<&str, usize>::new();
        let mut kept = Kept::default();
        let mut events: Vec<_> = self.events.iter().zip(orderings).collect();
        // Whoever keeps metadata does it in this order, so that nobody waits for another in a circle.
        events.sort_by_key(|(event, _)| event.persistence_id.as_str());
        for (event, ordering) in events {
            let (id, number) = (event.persistence_id.as_str(), event.sequence_number.get());
            let place = *places.entry(id).or_insert_with(|| {
                kept.ids.push(id);
                kept.firsts.push(number);
                kept.lasts.push(number);
                kept.lowest.push(*ordering);
                kept.highest.push(*ordering);
                kept.ids.len() - 1
            });
            kept.lasts[place] = number;
            kept.highest[place] = *ordering;
        }
        kept
    }
}

fn place(event: &Named) -> (PersistenceId, SequenceNumber) {
    (event.persistence_id.clone(), event.sequence_number)
}
