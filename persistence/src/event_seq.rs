use std::iter::Chain;
use std::{option, vec};

/// What a stored event means today: nothing any more, one event, or several.
///
/// One event takes no allocation, so that a replay is not slower for it.
///
/// ```
/// use annals_persistence::EventSeq;
///
/// let split = EventSeq::many(["debited", "credited"]);
/// assert_eq!(split.into_iter().collect::<Vec<_>>(), ["debited", "credited"]);
/// assert_eq!(EventSeq::one("moved").into_iter().count(), 1);
/// assert_eq!(EventSeq::<&str>::none().into_iter().count(), 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "events that are not applied are lost"]
pub struct EventSeq<E> {
    first: Option<E>,
    rest: Vec<E>,
}

/// The events of an [`EventSeq`], in order.
pub type EventSeqIter<E> = Chain<option::IntoIter<E>, vec::IntoIter<E>>;

impl<E> EventSeq<E> {
    /// The stored event is passed over.
    pub const fn none() -> Self {
        Self {
            first: None,
            rest: Vec::new(),
        }
    }

    /// The stored event is one event.
    pub const fn one(event: E) -> Self {
        Self {
            first: Some(event),
            rest: Vec::new(),
        }
    }

    /// The stored event is these events, in this order.
    pub fn many(events: impl IntoIterator<Item = E>) -> Self {
        let mut events = events.into_iter();
        Self {
            first: events.next(),
            rest: events.collect(),
        }
    }
}

impl<E> IntoIterator for EventSeq<E> {
    type Item = E;
    type IntoIter = EventSeqIter<E>;

    fn into_iter(self) -> EventSeqIter<E> {
        self.first.into_iter().chain(self.rest)
    }
}
