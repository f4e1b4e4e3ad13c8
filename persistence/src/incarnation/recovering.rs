use std::time::Duration;

use ractor::ActorRef;
use tokio::time::timeout;

use super::{Incarnation, Standing, Stores};
use crate::recovery::{Bounds, Contiguity, Start};
use crate::stash::Stash;
use crate::{
    CodecError, EntityContext, EventEnvelope, EventSourced, Hole, PersistenceId, Recovered,
    Recovery, RecoveryError, Replay, ReplayEvents, ReplayWindow, SequenceNumber, SnapshotCriteria,
    WriterId,
};

/// A state as recovery found it, before anybody writes behind it.
pub(crate) struct Found<E> {
    pub(crate) state: E,
    pub(crate) sequence_number: SequenceNumber,
    pub(crate) recovered: Recovered,
    standing: Standing,
}

impl<E: EventSourced> Incarnation<E> {
    /// Begins a life with the state that `recovery` finds. Commands to itself go to `myself`, which is
    /// drained when the entity wants to stop.
    ///
    /// # Errors
    /// The state cannot be recovered.
    ///
    /// # Cancel safety
    /// Reads only; drop it at any time.
    pub async fn recover(
        persistence_id: PersistenceId,
        myself: ActorRef<E::Command>,
        stores: Stores,
        recovery: Recovery,
    ) -> Result<(Self, Recovered), RecoveryError> {
        let found = find::<E>(&persistence_id, &stores, recovery).await?;
        let recovered = found.recovered;
        let incarnation = Self {
            context: EntityContext {
                persistence_id,
                sequence_number: found.sequence_number,
                myself,
            },
            writer: WriterId::random(),
            state: found.state,
            standing: found.standing,
            stores,
            stash: Stash::new(E::STASH_CAPACITY),
            saves_under_way: Vec::new(),
        };
        Ok((incarnation, recovered))
    }
}

/// The state that the snapshot and the events behind it make.
pub(crate) async fn find<E: EventSourced>(
    persistence_id: &PersistenceId,
    stores: &Stores,
    recovery: Recovery,
) -> Result<Found<E>, RecoveryError> {
    let patience = Patience {
        persistence_id,
        limit: recovery.event_timeout,
    };
    let snapshots = match recovery.start {
        Start::Snapshot(criteria) => {
            let last = criteria.max_sequence_number.min(recovery.to);
            newest_readable_snapshot::<E>(&patience, stores, criteria.up_to(last)).await?
        }
        Start::Beginning => Snapshots::none(),
        Start::End => return at_the_end(&patience, stores).await,
    };
    let (snapshot, mut state) = snapshots
        .readable
        .unwrap_or_else(|| (SequenceNumber::ZERO, E::initial(persistence_id)));

    let events = ReplayEvents {
        to: recovery.to,
        ..ReplayEvents::from(persistence_id.clone(), snapshot.next())
    };
    let replay = stores.journal.replay(events);
    let mut replay = patience.wait(snapshot, replay).await??;
    if let Some((unreadable, source)) = snapshots.unreadable
        && replay.deleted_to > snapshot
    {
        return Err(RecoveryError::SnapshotUnreadable {
            persistence_id: persistence_id.clone(),
            snapshot: unreadable,
            deleted_to: replay.deleted_to,
            source,
        });
    }
    let bounds = Bounds {
        snapshot,
        deleted_to: replay.deleted_to,
        highest: replay.highest,
        to: recovery.to,
    };
    let standing = if recovery.to < replay.highest {
        Standing::Past
    } else {
        Standing::Whole
    };
    let mut fold = Fold {
        persistence_id,
        contiguity: Contiguity::begin(persistence_id.clone(), bounds)?,
        state: &mut state,
        events: 0,
    };
    let window = recovery.filter.begin(persistence_id.clone());
    let sequence_number = match fold.take_all(&mut replay, window, &patience).await {
        Err(RecoveryError::Hole { hole, .. }) => Err(patience.explain(&replay, hole).await),
        taken => taken,
    }?;
    let events = fold.events;
    Ok(Found {
        sequence_number,
        state,
        recovered: Recovered { snapshot, events },
        standing,
    })
}

/// A state on its way through its history.
struct Fold<'a, E> {
    persistence_id: &'a PersistenceId,
    contiguity: Contiguity,
    state: &'a mut E,
    events: u64,
}

impl<E: EventSourced> Fold<'_, E> {
    const fn reached(&self) -> SequenceNumber {
        self.contiguity.reached()
    }

    /// The sequence number of the last event.
    async fn take_all(
        &mut self,
        replay: &mut Replay,
        mut window: ReplayWindow<EventEnvelope>,
        patience: &Patience<'_>,
    ) -> Result<SequenceNumber, RecoveryError> {
        while let Some(batch) = patience.wait(self.reached(), replay.next_batch()).await?? {
            for envelope in batch {
                if let Some(envelope) = window.accept(envelope)? {
                    self.take(&envelope)?;
                }
            }
        }
        for envelope in window.finish() {
            self.take(&envelope)?;
        }
        self.contiguity.finish()
    }

    fn take(&mut self, envelope: &EventEnvelope) -> Result<(), RecoveryError> {
        self.contiguity.accept(envelope.sequence_number)?;
        let meant = envelope
            .events::<E>()
            .map_err(|source| RecoveryError::Decode {
                persistence_id: self.persistence_id.clone(),
                sequence_number: envelope.sequence_number,
                source,
            })?;
        meant.into_iter().for_each(|event| self.state.apply(event));
        self.events += 1;
        Ok(())
    }
}

async fn at_the_end<E: EventSourced>(
    patience: &Patience<'_>,
    stores: &Stores,
) -> Result<Found<E>, RecoveryError> {
    let nothing = ReplayEvents {
        limit: 0,
        ..ReplayEvents::from(patience.persistence_id.clone(), SequenceNumber::FIRST)
    };
    let replay = stores.journal.replay(nothing);
    let replay = patience.wait(SequenceNumber::ZERO, replay).await??;
    Ok(Found {
        state: E::initial(patience.persistence_id),
        sequence_number: replay.highest,
        recovered: Recovered::default(),
        standing: Standing::Blind,
    })
}

/// How long the stores may be silent.
struct Patience<'a> {
    persistence_id: &'a PersistenceId,
    limit: Duration,
}

impl Patience<'_> {
    async fn wait<T>(
        &self,
        reached: SequenceNumber,
        answer: impl Future<Output = T>,
    ) -> Result<T, RecoveryError> {
        timeout(self.limit, answer)
            .await
            .map_err(|_| RecoveryError::TimedOut {
                persistence_id: self.persistence_id.clone(),
                reached,
                waited: self.limit,
            })
    }

    /// The hole with the fate of its events, as far as the journal can tell.
    async fn explain(&self, replay: &Replay, hole: Hole) -> RecoveryError {
        let persistence_id = self.persistence_id.clone();
        let known = self.wait(hole.first.previous(), replay.hole(hole.first, hole.last));
        let known = match known.await {
            Ok(Ok(known)) => Ok(known),
            Ok(Err(error)) => Err(error.into()),
            Err(silence) => Err(silence),
        };
        let hole = known.unwrap_or_else(|error: RecoveryError| {
            tracing::warn!(%persistence_id, %error, "nobody can tell where missing events went");
            hole
        });
        RecoveryError::Hole {
            persistence_id,
            hole,
        }
    }
}

/// Where the snapshots of an entity lead.
struct Snapshots<E> {
    /// The newest one that can be read.
    readable: Option<(SequenceNumber, E)>,
    /// The newest one that cannot, if it is newer.
    unreadable: Option<(SequenceNumber, CodecError)>,
}

impl<E> Snapshots<E> {
    const fn none() -> Self {
        Self {
            readable: None,
            unreadable: None,
        }
    }
}

/// The newest snapshot that can be read. One that cannot be is left where it is, for people to look
/// at, and the one before it is tried.
async fn newest_readable_snapshot<E: EventSourced>(
    patience: &Patience<'_>,
    stores: &Stores,
    mut criteria: SnapshotCriteria,
) -> Result<Snapshots<E>, RecoveryError> {
    let persistence_id = patience.persistence_id;
    let mut found = Snapshots::none();
    loop {
        let load = stores.snapshots.load(persistence_id, criteria);
        let Some(snapshot) = patience.wait(SequenceNumber::ZERO, load).await?? else {
            return Ok(found);
        };
        match E::decode_snapshot(&snapshot.payload) {
            Ok(state) => {
                found.readable = Some((snapshot.sequence_number, state));
                return Ok(found);
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
            return Ok(found);
        }
        criteria = criteria.up_to(snapshot.sequence_number.previous());
    }
}
