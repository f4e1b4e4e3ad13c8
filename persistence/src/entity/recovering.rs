use super::{Entity, Stores};
use crate::{
    CodecError, EventSourced, PersistenceId, Recovered, Recovery, RecoveryError, ReplayEvents,
    SequenceNumber, SnapshotCriteria, WriterId,
};

impl<E: EventSourced> Entity<E> {
    /// The state that the newest readable snapshot and the events behind it make.
    pub(super) async fn recover(
        persistence_id: PersistenceId,
        stores: Stores,
    ) -> Result<(Self, Recovered), RecoveryError> {
        let found = newest_readable_snapshot::<E>(&persistence_id, &stores).await?;
        let (snapshot, mut state) = found
            .readable
            .unwrap_or_else(|| (SequenceNumber::ZERO, E::initial(&persistence_id)));

        let mut replay = stores
            .journal
            .replay(ReplayEvents::from(persistence_id.clone(), snapshot.next()))
            .await?;
        if let Some((unreadable, source)) = found.unreadable
            && replay.deleted_to > snapshot
        {
            return Err(RecoveryError::SnapshotUnreadable {
                persistence_id,
                snapshot: unreadable,
                deleted_to: replay.deleted_to,
                source,
            });
        }
        let mut recovery = Recovery::begin(
            persistence_id.clone(),
            snapshot,
            replay.deleted_to,
            replay.highest,
        )?;
        let mut events = 0;
        while let Some(batch) = replay.next_batch().await? {
            for envelope in batch {
                recovery.accept(envelope.sequence_number)?;
                let event = envelope
                    .event::<E>()
                    .map_err(|source| RecoveryError::Decode {
                        persistence_id: persistence_id.clone(),
                        sequence_number: envelope.sequence_number,
                        source,
                    })?;
                state.apply(event);
                events += 1;
            }
        }
        let entity = Self {
            sequence_number: recovery.finish()?,
            writer: WriterId::random(),
            persistence_id,
            state,
            stores,
        };
        Ok((entity, Recovered { snapshot, events }))
    }
}

/// Where the snapshots of an entity lead.
struct Snapshots<E> {
    /// The newest one that can be read.
    readable: Option<(SequenceNumber, E)>,
    /// The newest one that cannot, if it is newer.
    unreadable: Option<(SequenceNumber, CodecError)>,
}

/// The newest snapshot that can be read. One that cannot be is left where it is, for people to look
/// at, and the one before it is tried.
async fn newest_readable_snapshot<E: EventSourced>(
    persistence_id: &PersistenceId,
    stores: &Stores,
) -> Result<Snapshots<E>, RecoveryError> {
    let mut found = Snapshots {
        readable: None,
        unreadable: None,
    };
    let mut criteria = SnapshotCriteria::latest();
    while let Some(snapshot) = stores.snapshots.load(persistence_id, criteria).await? {
        match E::decode_snapshot(&snapshot.payload) {
            Ok(state) => {
                found.readable = Some((snapshot.sequence_number, state));
                break;
            }
            Err(error) => {
                tracing::warn!(
                    %persistence_id,
                    sequence_number = %snapshot.sequence_number,
                    error = %error,
                    "a snapshot cannot be read, falling back to the one before it"
                );
                found
                    .unreadable
                    .get_or_insert((snapshot.sequence_number, error));
            }
        }
        if snapshot.sequence_number == SequenceNumber::ZERO {
            break;
        }
        criteria = criteria.up_to(snapshot.sequence_number.previous());
    }
    Ok(found)
}
