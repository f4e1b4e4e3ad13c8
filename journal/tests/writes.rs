//! Writes whose events are texts, and their answers.

use std::pin::Pin;

use annals_persistence::{
    JournalRef, NewEvent, Outcome, Payload, PersistenceId, SequenceNumber, WriteError, WriteEvents,
    WriterId,
};
use futures::future::{BoxFuture, FutureExt, MaybeDone, maybe_done};

pub(crate) fn id(text: impl Into<String>) -> PersistenceId {
    PersistenceId::parse(text.into()).unwrap()
}

pub(crate) fn number(number: i64) -> SequenceNumber {
    SequenceNumber::new(number).unwrap()
}

/// Events of a writer that nobody else is.
pub(crate) fn write<T: Into<String>>(
    persistence_id: &PersistenceId,
    first: i64,
    texts: impl IntoIterator<Item = T>,
) -> WriteEvents {
    let events = texts.into_iter().map(text).collect();
    events_at(persistence_id, first, events)
}

pub(crate) fn events_at(
    persistence_id: &PersistenceId,
    first: i64,
    events: Vec<NewEvent>,
) -> WriteEvents {
    let writer = WriterId::random();
    WriteEvents::new(persistence_id.clone(), number(first), writer, events)
}

pub(crate) fn text(text: impl Into<String>) -> NewEvent {
    Payload::text(text).into()
}

/// An answer that is still to come.
pub(crate) struct Answer(Pin<Box<MaybeDone<Written>>>);

type Written = BoxFuture<'static, Result<(), WriteError>>;

/// Sends a write and does not wait: what is sent later arrives later.
pub(crate) async fn send(journal: &JournalRef, write: WriteEvents) -> Answer {
    let journal = journal.clone();
    let mut answer = Box::pin(maybe_done(
        async move { journal.write(write).await }.boxed(),
    ));
    let _ = futures::poll!(&mut answer);
    Answer(answer)
}

impl Answer {
    /// Whether it has come.
    pub(crate) async fn is_there(&mut self) -> bool {
        // Tokio's budget for one turn of a task would hide answers that are there.
        tokio::task::unconstrained(async { futures::poll!(&mut self.0).is_ready() }).await
    }

    pub(crate) async fn result(mut self) -> Result<(), WriteError> {
        self.0.as_mut().await;
        self.0.as_mut().take_output().unwrap()
    }

    /// Expects that it is stored.
    pub(crate) async fn stored(self) {
        self.result().await.unwrap();
    }
}

/// Expects a rejection; gives what the causes say, one behind the other.
pub(crate) fn rejection(result: Result<(), WriteError>) -> String {
    let error = result.unwrap_err();
    assert!(matches!(error, WriteError::Rejected { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotStored);
    with_causes(&error)
}

/// What an error says and its causes say, one behind the other.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let said: Vec<String> = causes.map(ToString::to_string).collect();
    said.join(": ")
}

/// Expects a conflict; gives the attempted and the highest sequence number.
pub(crate) fn conflict(result: Result<(), WriteError>) -> (i64, i64) {
    match result {
        Err(WriteError::Conflict {
            attempted, highest, ..
        }) => (attempted.get(), highest.get()),
        other => panic!("no conflict: {other:?}"),
    }
}

/// Expects a write that was given up because an earlier one failed; gives its sequence number.
pub(crate) fn earlier_failed(result: Result<(), WriteError>) -> i64 {
    match result {
        Err(WriteError::EarlierFailed { first, .. }) => first.get(),
        other => panic!("not given up behind an earlier one: {other:?}"),
    }
}
