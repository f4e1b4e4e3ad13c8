use std::fmt;

use annals_persistence::{CommandError, EventEnvelope, EventSourced};
use tokio::sync::oneshot;

use super::EntityTestKit;
use crate::describe;

/// What became of a command.
pub struct Run<'k, E: EventSourced, T> {
    kit: &'k EntityTestKit<E>,
    envelopes: Vec<EventEnvelope>,
    events: Vec<E::Event>,
    reply: Result<T, CommandError>,
}

impl<'k, E: EventSourced, T> Run<'k, E, T> {
    pub(super) fn new(kit: &'k mut EntityTestKit<E>, reply: Result<T, CommandError>) -> Self {
        let envelopes = std::mem::take(&mut kit.fresh);
        Self {
            events: envelopes.iter().flat_map(describe::decode::<E>).collect(),
            envelopes,
            kit,
            reply,
        }
    }

    /// The events that the entity stored since the run before this one, as the journal gives them back.
    pub fn events(&self) -> &[E::Event] {
        &self.events
    }

    /// The same with all that is stored beside them.
    pub fn envelopes(&self) -> &[EventEnvelope] {
        &self.envelopes
    }

    /// The reply.
    ///
    /// # Errors
    /// The events were not stored, or may not have been.
    pub fn reply(&self) -> Result<&T, CommandError> {
        self.reply.as_ref().map_err(Clone::clone)
    }

    /// The reply, to keep.
    ///
    /// # Errors
    /// As [`Self::reply`].
    pub fn into_reply(self) -> Result<T, CommandError> {
        self.reply
    }

    /// The state behind the command.
    pub const fn state(&self) -> &'k E {
        self.kit.state()
    }

    /// Whether the entity has ended: [`EntityTestKit::has_ended`].
    pub const fn has_ended(&self) -> bool {
        self.kit.has_ended()
    }
}

impl<E: EventSourced, T: fmt::Debug> fmt::Debug for Run<'_, E, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("envelopes", &self.envelopes)
            .field("reply", &self.reply)
            .finish_non_exhaustive()
    }
}

/// The reply to a command that was begun.
#[derive(Debug)]
#[must_use = "finish it, or the reply is never looked at"]
pub struct Pending<T> {
    pub(super) answer: oneshot::Receiver<Result<T, CommandError>>,
    /// Which command it was.
    pub(super) number: u64,
}

impl<T> Pending<T> {
    pub(super) const fn new(
        answer: oneshot::Receiver<Result<T, CommandError>>,
        number: u64,
    ) -> Self {
        Self { answer, number }
    }

    /// Whether the entity has still the port and has not used it.
    pub fn is_open(&self) -> bool {
        self.answer.is_empty() && !self.answer.is_terminated()
    }
}
