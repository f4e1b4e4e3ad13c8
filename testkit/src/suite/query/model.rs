//! What a case stored, and what its readers must be given of it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;

use annals_persistence::{
    EventEnvelope, EventStream, NewEvent, Offset, Payload, PersistenceId, QueryError, Selection,
    Tag, Tags, WriteEvents, WriterId,
};
use futures::future::join_all;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};

use super::JournalAndQueries;
use crate::suite::fixture::{fresh_id, replay_all, store, text, write, write_events};

/// The events of one case with their tags, which no reader is given.
pub(super) struct Model {
    /// By offset.
    events: Vec<(EventEnvelope, Tags)>,
}

/// One write, told by the tags of its events.
#[derive(Clone, Debug)]
pub(super) struct Tagged {
    pub(super) persistence_id: PersistenceId,
    pub(super) writer: WriterId,
    pub(super) first: i64,
    pub(super) tags: Vec<Tags>,
}

/// The writes of each writer, one behind the other.
pub(super) type Writers = Vec<Vec<Tagged>>;

/// An offset behind which everything lies that is stored from now on: what was there before, of
/// others, need not be read.
pub(super) async fn here(stores: &JournalAndQueries) -> Offset {
    let id = fresh_id();
    store(&stores.journal, write(&id, WriterId::random(), 1, 1)).await;
    replay_all(&stores.journal, &id).await.events[0].offset
}

/// Stores what the writers have, all of them at the same time.
pub(super) async fn write_all(stores: &JournalAndQueries, writers: &Writers) {
    join_all(writers.iter().map(|writes| async move {
        for write in writes {
            store(&stores.journal, write.events()).await;
        }
    }))
    .await;
}

/// The events of these persistence ids alone. Others may use the store too.
pub(super) fn only(
    ids: &[PersistenceId],
    stream: EventStream,
) -> BoxStream<'static, Result<EventEnvelope, QueryError>> {
    let ids: BTreeSet<PersistenceId> = ids.iter().cloned().collect();
    stream
        .try_filter(move |event| ready(ids.contains(&event.persistence_id)))
        .boxed()
}

/// Whether an event of the persistence id that carries these tags is chosen.
pub(super) fn chooses(which: &Selection, id: &PersistenceId, tags: &Tags) -> bool {
    let carries = |tag: &Tag| tags.iter().any(|carried| carried == tag);
    which.includes(id) && which.tags().is_none_or(|wanted| wanted.matches(carries))
}

/// How many events of these writes are chosen.
pub(super) fn count(which: &Selection, writers: &Writers) -> usize {
    let chosen = |write: &Tagged| {
        let tags = write.tags.iter();
        tags.filter(|tags| chooses(which, &write.persistence_id, tags))
            .count()
    };
    writers.iter().flatten().map(chosen).sum()
}

impl Tagged {
    fn events(&self) -> WriteEvents {
        let event = |(number, tags): (i64, &Tags)| NewEvent {
            tags: tags.clone(),
            ..Payload::text(text("a", number)).into()
        };
        let events = (self.first..).zip(&self.tags).map(event).collect();
        write_events(&self.persistence_id, self.writer, self.first, events)
    }
}

impl Model {
    /// Of what the writers have stored.
    pub(super) async fn of(stores: &JournalAndQueries, writers: &Writers) -> Self {
        let mut written: BTreeMap<&PersistenceId, BTreeMap<i64, &Tags>> = BTreeMap::new();
        for write in writers.iter().flatten() {
            let of_one = written.entry(&write.persistence_id).or_default();
            of_one.extend((write.first..).zip(&write.tags));
        }
        let mut events = Vec::new();
        for (id, tags) in written {
            let replayed = replay_all(&stores.journal, id).await.events;
            assert_eq!(replayed.len(), tags.len(), "the events of {id} by replay");
            events.extend(replayed.into_iter().zip(tags.into_values().cloned()));
        }
        events.sort_by_key(|(event, _)| event.offset);
        Self { events }
    }

    /// Stores them, and gives the model.
    pub(super) async fn stored(stores: &JournalAndQueries, writers: &Writers) -> Self {
        write_all(stores, writers).await;
        Self::of(stores, writers).await
    }

    pub(super) fn offsets(&self) -> Vec<Offset> {
        self.events.iter().map(|(event, _)| event.offset).collect()
    }

    /// What a reader must be given.
    pub(super) fn chosen(&self, which: &Selection) -> Vec<EventEnvelope> {
        self.chosen_behind(which, Offset::start())
    }

    pub(super) fn chosen_behind(&self, which: &Selection, after: Offset) -> Vec<EventEnvelope> {
        self.events
            .iter()
            .filter(|(event, _)| event.offset > after)
            .filter(|(event, tags)| chooses(which, &event.persistence_id, tags))
            .map(|(event, _)| event.clone())
            .collect()
    }
}

/// Expects these events, each once and in their order, and tells where that ends.
pub(super) fn expect_given(reader: &str, given: &[EventEnvelope], expected: &[EventEnvelope]) {
    if given == expected {
        return;
    }
    let place = |event: Option<&EventEnvelope>| match event {
        Some(event) => format!(
            "event {} of {} at the offset {}",
            event.sequence_number, event.persistence_id, event.offset
        ),
        None => "nothing".to_owned(),
    };
    let same = given.iter().zip(expected).take_while(|(a, b)| a == b);
    let at = same.count();
    panic!(
        "{reader} was given {} events instead of {}, and behind the first {at} of them {} instead of {}",
        given.len(),
        expected.len(),
        place(given.get(at)),
        place(expected.get(at)),
    );
}
