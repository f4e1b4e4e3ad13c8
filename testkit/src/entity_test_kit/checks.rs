//! What the kit checks behind the back of the test.

use std::fmt;

use annals_persistence::{EntityContext, EventEnvelope, EventSourced, SequenceNumber};

use crate::{MemoryStores, describe};

pub(super) struct Checks<E> {
    pub(super) events: bool,
    pub(super) states: bool,
    pub(super) same_state: Option<fn(&E, &E) -> bool>,
    /// What the stored events make, read from their bytes; `None` where that cannot be said, because
    /// the entity does not recover from all of them.
    shadow: Option<E>,
}

impl<E: EventSourced> Checks<E> {
    pub(super) const fn new() -> Self {
        Self {
            events: true,
            states: true,
            same_state: None,
            shadow: None,
        }
    }

    /// Begins anew beside an entity that has just recovered.
    pub(super) fn begin(
        &mut self,
        stores: &MemoryStores,
        context: &EntityContext<E::Command>,
        state: &E,
    ) {
        let shadow = fold::<E>(stores, context);
        self.shadow = (self.are_same(&shadow, state)).then_some(shadow);
    }

    /// What is read from the bytes of an event must be written as the same bytes.
    pub(super) fn events(&self, place: &str, stored: &[EventEnvelope]) {
        if !self.events {
            return;
        }
        for envelope in stored {
            let meant: Vec<E::Event> = describe::decode::<E>(envelope).into_iter().collect();
            // One that is read as none or as several has nothing to be compared with.
            let [event] = meant.as_slice() else {
                continue;
            };
            let again = match E::encode_event(event) {
                Ok(again) => again,
                Err(error) => panic!(
                    "{place}: {} is read, but cannot be written again: {}; {EVENTS}",
                    describe::event(envelope),
                    describe::with_causes(&error)
                ),
            };
            assert!(
                again == envelope.payload,
                "{place}: {} does not survive its codec: what is read from it is written as ({}); {EVENTS}",
                describe::event(envelope),
                describe::payload(&again)
            );
        }
    }

    /// The stored events must make the state, and the state must survive its codec.
    pub(super) fn state(&mut self, place: &str, stored: &[EventEnvelope], state: &E) {
        if let Some(shadow) = &mut self.shadow {
            for event in stored.iter().flat_map(describe::decode::<E>) {
                shadow.apply(event);
            }
        }
        if !self.states || stored.is_empty() {
            return;
        }
        self.survives(place, state);
        if let Some(shadow) = &self.shadow
            && !self.are_same(shadow, state)
        {
            panic!(
                "{place}: the stored events make another state than the entity has: {}, not {}; their \
                 codec loses something, `apply` looks at more than state and event, or a command changes \
                 the state by itself; the last is {}; {STATES}",
                describe_state(shadow),
                describe_state(state),
                stored.last().map(describe::event).unwrap_or_default()
            );
        }
    }

    /// The state that an entity came back with must be the one that it had.
    pub(super) fn compare(&self, place: &str, before: &E, after: &E) {
        assert!(
            !self.states || self.shadow.is_none() || self.are_same(before, after),
            "{place}: the entity had the state {} and came back with {}; {STATES}",
            describe_state(before),
            describe_state(after)
        );
    }

    fn survives(&self, place: &str, state: &E) {
        let stored = match state.encode_snapshot() {
            Ok(stored) => stored,
            Err(error) => panic!(
                "{place}: the state cannot be written: {}; {OFF}",
                describe::with_causes(&error)
            ),
        };
        let read = match E::decode_snapshot(&stored) {
            Ok(read) => read,
            Err(error) => panic!(
                "{place}: the state ({}) cannot be read: {}; {OFF}",
                describe::payload(&stored),
                describe::with_causes(&error)
            ),
        };
        assert!(
            self.are_same(&read, state),
            "{place}: the state ({}) does not survive its codec: what is read from it is {}; {STATES}",
            describe::payload(&stored),
            describe_state(&read)
        );
    }

    fn are_same(&self, one: &E, other: &E) -> bool {
        match (
            self.same_state,
            one.encode_snapshot(),
            other.encode_snapshot(),
        ) {
            (Some(same), ..) => same(one, other),
            (None, Ok(one), Ok(other)) => one == other,
            (None, ..) => false,
        }
    }
}

const EVENTS: &str = "turn this off by `without_event_checks`";
const OFF: &str = "turn this off by `without_state_checks`";
const STATES: &str = "compare by `==` (`comparing_states`) if one state has several encodings, \
     turn this off by `without_state_checks`";

/// The state that the newest readable snapshot and the events behind it make, read here and not by
/// the entity: no call that a plan of the test could meet.
fn fold<E: EventSourced>(stores: &MemoryStores, context: &EntityContext<E::Command>) -> E {
    let id = context.persistence_id();
    let snapshots = stores.shelf.of(id);
    let newest = snapshots.iter().rev().find_map(|snapshot| {
        let state = E::decode_snapshot(&snapshot.payload).ok()?;
        Some((snapshot.sequence_number, state))
    });
    let (reached, mut state) = newest.unwrap_or_else(|| (SequenceNumber::ZERO, E::initial(id)));
    let events = stores.log.read(|events| events.stored_behind(id, reached));
    for event in events.iter().flat_map(describe::decode::<E>) {
        state.apply(event);
    }
    state
}

fn describe_state<E: EventSourced>(state: &E) -> String {
    match state.encode_snapshot() {
        Ok(payload) => format!("({})", describe::payload(&payload)),
        Err(error) => format!("one that cannot be written ({error})"),
    }
}

impl<E> fmt::Debug for Checks<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checks")
            .field("events", &self.events)
            .field("states", &self.states)
            .finish_non_exhaustive()
    }
}
