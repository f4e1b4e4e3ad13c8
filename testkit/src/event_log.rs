mod history;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals_persistence::{
    DeleteEvents, EventEnvelope, Offset, PersistenceId, ReplaceEvent, Replay, ReplayEvents,
    Selection, SequenceNumber, Tag, TagExpression, WriteError, WriteEvents,
};
use tokio::sync::watch;

use self::history::History;

/// All events of one journal in memory: its actor writes them, queries and probes read them.
#[derive(Debug)]
pub(crate) struct EventLog {
    events: Mutex<Events>,
    /// The newest offset, for those who wait for more.
    newest: watch::Sender<Offset>,
}

/// The events at one moment.
#[derive(Debug, Default)]
pub(crate) struct Events {
    histories: HashMap<PersistenceId, History>,
    by_offset: BTreeMap<Offset, (PersistenceId, SequenceNumber)>,
    by_tag: HashMap<Tag, BTreeSet<Offset>>,
    /// Each persistence id at the offset of its first event.
    ids: BTreeMap<Offset, PersistenceId>,
    newest: Offset,
}

impl EventLog {
    pub(crate) fn empty() -> Arc<Self> {
        Arc::new(Self {
            events: Mutex::default(),
            newest: watch::Sender::default(),
        })
    }

    /// Changes when events were stored.
    pub(crate) fn news(&self) -> watch::Receiver<Offset> {
        self.newest.subscribe()
    }

    /// What `look` finds in the events at this moment.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Events) -> T) -> T {
        look(&self.events())
    }

    /// Changes the events, and tells those who wait if there are more.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Events) -> T) -> T {
        let mut events = self.events();
        let changed = change(&mut events);
        self.newest.send_if_modified(|newest| {
            let more = *newest != events.newest;
            *newest = events.newest;
            more
        });
        changed
    }

    /// A test that panicked elsewhere must not hide behind a poisoned lock.
    fn events(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Events {
    /// Stores the events of the write, all or none.
    pub(crate) fn write(&mut self, write: &WriteEvents) -> Result<(), WriteError> {
        let before = self.newest;
        let history = self
            .histories
            .entry(write.persistence_id.clone())
            .or_default();
        let is_new = history.highest() == SequenceNumber::ZERO;
        // A repeated write is there already and gets no offsets.
        let stored = history.write(write, &mut self.newest)?;
        for (row, event) in stored.iter().zip(&write.events) {
            for tag in &event.tags {
                self.by_tag
                    .entry(tag.clone())
                    .or_default()
                    .insert(row.offset);
            }
            let place = (write.persistence_id.clone(), row.sequence_number);
            self.by_offset.insert(row.offset, place);
        }
        if let Some(first) = stored.first()
            && is_new
        {
            self.ids.insert(first.offset, write.persistence_id.clone());
        }
        debug_assert_eq!(before.get() + stored.len() as i64, self.newest.get());
        Ok(())
    }

    /// Remembers whether the write was confirmed: a failed one fails those that its writer has sent
    /// behind it.
    pub(crate) fn note(&mut self, write: &WriteEvents, confirmed: bool) {
        self.histories
            .entry(write.persistence_id.clone())
            .or_default()
            .note(write, confirmed);
    }

    pub(crate) fn replay(&self, replay: &ReplayEvents) -> Replay {
        match self.histories.get(&replay.persistence_id) {
            Some(history) => history.replay(replay),
            None => History::default().replay(replay),
        }
    }

    pub(crate) fn delete(&mut self, delete: &DeleteEvents) {
        if let Some(history) = self.histories.get_mut(&delete.persistence_id) {
            history.delete(delete.to);
        }
    }

    /// Tells whether there is such an event.
    pub(crate) fn replace(&mut self, replace: &ReplaceEvent) -> bool {
        self.histories
            .get_mut(&replace.persistence_id)
            .is_some_and(|history| history.replace(replace))
    }

    /// The highest sequence number ever given to the persistence id.
    pub(crate) fn highest(&self, persistence_id: &PersistenceId) -> SequenceNumber {
        self.histories
            .get(persistence_id)
            .map_or(SequenceNumber::ZERO, History::highest)
    }

    /// Forgets all that is known of the persistence id. Offsets are not given again, so that live
    /// readers go on.
    pub(crate) fn forget(&mut self, persistence_id: &PersistenceId) {
        self.histories.remove(persistence_id);
        self.ids.retain(|_, id| id != persistence_id);
        let by_tag = &mut self.by_tag;
        self.by_offset.retain(|offset, (id, _)| {
            let stays = id != persistence_id;
            if !stays {
                by_tag.retain(|_, offsets| {
                    offsets.remove(offset);
                    !offsets.is_empty()
                });
            }
            stays
        });
    }

    /// Forgets everything but which offset comes next.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            newest: self.newest,
            ..Self::default()
        };
    }

    /// Events of one persistence id that are not deleted, by sequence number.
    pub(crate) fn of(
        &self,
        persistence_id: &PersistenceId,
        from: SequenceNumber,
        to: SequenceNumber,
    ) -> impl Iterator<Item = &EventEnvelope> {
        self.histories
            .get(persistence_id)
            .into_iter()
            .flat_map(move |history| history.visible(from, to))
    }

    /// Events of one persistence id behind a sequence number, deleted or not.
    pub(crate) fn stored_behind(
        &self,
        persistence_id: &PersistenceId,
        number: SequenceNumber,
    ) -> Vec<EventEnvelope> {
        self.histories
            .get(persistence_id)
            .map(|history| history.stored_from(number.next()).cloned().collect())
            .unwrap_or_default()
    }

    /// Events of the selection that are not deleted, by offset.
    pub(crate) fn selected<'a>(
        &'a self,
        which: &'a Selection,
        after: Offset,
        until: Offset,
    ) -> impl Iterator<Item = &'a EventEnvelope> {
        let tag = which.tags().and_then(TagExpression::as_tag);
        let bounds = between(after, until).into_iter();
        // Of a tag only those that carry it are looked at.
        let offsets: Box<dyn Iterator<Item = &'a Offset>> = match tag {
            Some(tag) => Box::new(
                bounds
                    .filter_map(|bounds| Some(self.by_tag.get(tag)?.range(bounds)))
                    .flatten(),
            ),
            None => {
                let rows = bounds.flat_map(|bounds| self.by_offset.range(bounds));
                Box::new(rows.map(|(offset, _)| offset))
            }
        };
        offsets
            .filter(move |offset| {
                let carries = |tag: &Tag| self.carries(tag, **offset);
                tag.is_some() || which.tags().is_none_or(|tags| tags.matches(carries))
            })
            .filter_map(|offset| self.at(*offset))
            .filter(|event| which.includes(&event.persistence_id))
    }

    /// Whether any event ever carried the tag.
    pub(crate) fn knows(&self, tag: &Tag) -> bool {
        self.by_tag.contains_key(tag)
    }

    fn carries(&self, tag: &Tag, offset: Offset) -> bool {
        self.by_tag
            .get(tag)
            .is_some_and(|offsets| offsets.contains(&offset))
    }

    /// The persistence ids by the offset of their first event.
    pub(crate) fn ids(
        &self,
        after: Offset,
        until: Offset,
    ) -> impl Iterator<Item = (Offset, &PersistenceId)> {
        between(after, until)
            .into_iter()
            .flat_map(|bounds| self.ids.range(bounds))
            .map(|(offset, id)| (*offset, id))
    }

    /// The event at the offset, unless it is deleted.
    fn at(&self, offset: Offset) -> Option<&EventEnvelope> {
        let (persistence_id, number) = self.by_offset.get(&offset)?;
        self.of(persistence_id, *number, *number).next()
    }
}

/// Bounds that a range of a tree takes; an empty range makes it panic.
fn between(after: Offset, until: Offset) -> Option<std::ops::RangeInclusive<Offset>> {
    (after < until).then(|| Offset::new(after.get() + 1)..=until)
}
