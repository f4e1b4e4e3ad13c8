use crate::{
    CodecError, EventSeq, EventSourced, Metadata, Offset, Payload, PersistenceId, SequenceNumber,
    Timestamp,
};

/// An event as it comes back from a journal, with all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct EventEnvelope {
    /// Whose event it is.
    pub persistence_id: PersistenceId,
    /// Its place among the events of that persistence id.
    pub sequence_number: SequenceNumber,
    /// Its place among all events: where a reader goes on behind it.
    pub offset: Offset,
    /// When it was written, by the writer's clock.
    pub timestamp: Timestamp,
    /// Which incarnation wrote it; empty where the row does not say.
    pub writer: String,
    /// What its writer noted for the reader ([`EventSourced::event_manifest`], or an event adapter
    /// of the JVM); mostly empty.
    pub event_manifest: String,
    /// The event itself, as stored.
    pub payload: Payload,
    /// What the writer put beside it.
    pub metadata: Metadata,
}

impl EventEnvelope {
    /// The events that the stored one is today: what the entity type `E` applies at recovery.
    ///
    /// # Errors
    /// The payload is of another serializer or type, or damaged.
    pub fn events<E: EventSourced>(&self) -> Result<EventSeq<E::Event>, CodecError> {
        E::decode_events(self)
    }

    /// The event as the entity type `E` understands its payload. Where `E` overrides
    /// [`EventSourced::decode_events`], use [`Self::events`].
    ///
    /// # Errors
    /// The payload is of another serializer or type, or damaged.
    pub fn event<E: EventSourced>(&self) -> Result<E::Event, CodecError> {
        E::decode_event(&self.payload)
    }
}
