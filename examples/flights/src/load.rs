use std::collections::HashMap;
use std::future::Future;

use annals::ractor::ActorRef;
use annals::{Annals, CommandError, EntityError};
use futures::stream::{self, FuturesUnordered, StreamExt, TryStreamExt};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::{Aircraft, Carrier, CarrierDesk, Command, Flight, LogBook, Recorded, TailNumber};

/// Commands that wait for their answers at the same time. Entities take one each, so this many
/// keeps about half as many of them writing.
const WINDOW: usize = 4096;

/// Entities that recover at the same time.
const RECOVERIES: usize = 64;

/// How far a load is, in events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Stored by this load.
    pub stored: u64,
    /// Stored by an earlier one.
    pub before: u64,
}

/// What a load did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// How far it came.
    pub progress: Progress,
    /// Whether it was interrupted before the last flight.
    pub interrupted: bool,
}

/// Sends every flight to the log book that it belongs to, in the order of the file, and waits until
/// all is stored. Flights that an earlier load recorded are passed over.
///
/// When `interruption` completes, no more flights are sent; those under way are waited for.
///
/// # Errors
/// An entity could not recover, or a flight was not stored. What was stored is stored; the same
/// load again goes on where this one ended.
pub async fn load(
    annals: &Annals,
    flights: &[Flight],
    interruption: impl Future<Output = ()>,
    mut report: impl FnMut(Progress),
) -> Result<Loaded, LoadError> {
    let log_books = open_log_books(annals, flights).await?;
    let mut interruption = std::pin::pin!(interruption);
    let (mut progress, mut interrupted) = (Progress::default(), false);
    let mut answers = FuturesUnordered::new();
    let mut rows = (1..).zip(flights);
    loop {
        while !interrupted && answers.len() < WINDOW {
            let Some((row, flight)) = rows.next() else {
                break;
            };
            let (reply, answer) = oneshot::channel();
            let record = Command::Record {
                row,
                flight: *flight,
                reply: reply.into(),
            };
            // A log book that has stopped drops the reply, and its reason is found there.
            let _ = log_books[&Key::of(flight)].cast(record);
            answers.push(async move { (row, flight.events(), answer.await) });
        }
        tokio::select! {
            biased;
            () = &mut interruption, if !interrupted => interrupted = true,
            answered = answers.next() => match answered {
                Some((row, events, answer)) => {
                    match answer.map_err(|_| LoadError::NoAnswer { row })? {
                        Ok(Recorded::Now) => progress.stored += events,
                        Ok(Recorded::Before) => progress.before += events,
                        Err(source) => return Err(LoadError::NotStored { row, source }),
                    }
                    report(progress);
                }
                None => break,
            }
        }
    }
    Ok(Loaded {
        progress,
        interrupted,
    })
}

/// Whose log book a flight goes into.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Aircraft(TailNumber),
    Carrier(Carrier),
}

impl Key {
    fn of(flight: &Flight) -> Self {
        match flight.tail_number {
            Some(tail_number) => Self::Aircraft(tail_number),
            None => Self::Carrier(flight.carrier),
        }
    }
}

async fn open_log_books(
    annals: &Annals,
    flights: &[Flight],
) -> Result<HashMap<Key, ActorRef<Command>>, EntityError> {
    let keys: std::collections::HashSet<Key> = flights.iter().map(Key::of).collect();
    stream::iter(keys)
        .map(|key| async move {
            let log_book = match &key {
                Key::Aircraft(id) => (*annals.entity::<LogBook<Aircraft>>(id).await?).clone(),
                Key::Carrier(id) => (*annals.entity::<LogBook<CarrierDesk>>(id).await?).clone(),
            };
            Ok((key, log_book))
        })
        .buffer_unordered(RECOVERIES)
        .try_collect()
        .await
}

/// Why a load ended early.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A log book could not be opened.
    #[error("a log book could not be opened")]
    Open(#[from] EntityError),
    /// A flight was not stored.
    #[error("the flight in row {row} was not stored; start again to go on")]
    NotStored {
        /// Its row in the file.
        row: u32,
        /// Why.
        source: CommandError,
    },
    /// A log book stopped before it came to a flight.
    #[error("the log book of the flight in row {row} stopped; start again to go on")]
    NoAnswer {
        /// Its row in the file.
        row: u32,
    },
}
