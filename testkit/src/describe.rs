//! How events and errors are named where a test panics.

use annals_persistence::{EventEnvelope, EventSeq, EventSourced, Payload};

/// The events that the stored one is today.
///
/// # Panics
/// It cannot be decoded.
pub(crate) fn decode<E: EventSourced>(envelope: &EventEnvelope) -> EventSeq<E::Event> {
    match envelope.events::<E>() {
        Ok(events) => events,
        Err(error) => panic!(
            "{}: {} cannot be decoded: {}",
            envelope.persistence_id,
            event(envelope),
            with_causes(&error)
        ),
    }
}

/// Its number, its type and what its bytes say.
pub(crate) fn event(envelope: &EventEnvelope) -> String {
    let (number, payload) = (envelope.sequence_number, &envelope.payload);
    format!("event {number} ({})", self::payload(payload))
}

/// Text as it is, other bytes by their numbers.
pub(crate) fn payload(payload: &Payload) -> String {
    match std::str::from_utf8(&payload.bytes) {
        Ok(text) if !text.contains(|c: char| c.is_control()) => {
            format!("{}: {text}", payload.manifest)
        }
        _ => format!("{}: {:02x?}", payload.manifest, &*payload.bytes),
    }
}

/// An error and why.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<_> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}
