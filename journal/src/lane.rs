//! One connection that stores batches.

mod session;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use annals_persistence::{PersistenceId, Rejection, SharedError, WriteError};
use annals_postgres::{ErrorClass, Settings, classify};
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::pending::{PendingWrite, earlier_failed};
pub(crate) use session::Session;
use session::Stored;

pub(crate) struct Lane {
    pub(crate) number: usize,
    pub(crate) settings: Settings,
    pub(crate) patience: Duration,
    pub(crate) session: Option<Session>,
    pub(crate) free: mpsc::UnboundedSender<Freed>,
    pub(crate) commits: watch::Sender<u64>,
}

/// A lane has dealt with its batch.
pub(crate) struct Freed {
    pub(crate) lane: usize,
    /// Whose writes failed: what waits behind them must not be stored.
    pub(crate) failed: Vec<PersistenceId>,
}

/// What became of a batch that was sent as one statement.
enum Verdict {
    Stored,
    /// Nothing is stored, and one row of the batch or more is to blame.
    Guilty(tokio_postgres::Error),
    /// Nothing is stored, and no row is to blame.
    Unavailable(SharedError),
    Unknown(SharedError),
}

type Settled = (PendingWrite, Result<(), WriteError>);

/// How often a batch is sent again that lost against another transaction.
const RETRIES: u32 = 5;

impl Lane {
    /// Stores batch after batch until no more can come.
    pub(crate) async fn run(mut self, mut batches: mpsc::UnboundedReceiver<Vec<PendingWrite>>) {
        while let Some(batch) = batches.recv().await {
            let settled = self.store(batch).await;
            let freed = Freed {
                lane: self.number,
                failed: failed_ids(&settled).into_iter().collect(),
            };
            self.commits.send_modify(|count| *count += 1);
            // First the next batch, then the answers: the server need not wait for them. Without a
            // dispatcher there is nobody to tell.
            let _ = self.free.send(freed);
            for (pending, result) in settled {
                pending.answer(result);
            }
        }
    }

    /// Stores a batch as one statement. If a row makes it fail, the writes that are to blame are
    /// found, and all others are stored nevertheless.
    async fn store(&mut self, batch: Vec<PendingWrite>) -> Vec<Settled> {
        let mut settled = Vec::with_capacity(batch.len());
        // Parts are taken from the end: the left half of a split comes before the right one, so
        // that the writes of a persistence id keep their order.
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let before = settled.len();
            let again = match self.insert(&part).await {
                Verdict::Stored => {
                    settled.extend(part.into_iter().map(|pending| (pending, Ok(()))));
                    Vec::new()
                }
                Verdict::Guilty(error) => self.isolate(part, error, &mut settled).await,
                Verdict::Unavailable(source) => {
                    settle_all(part, &mut settled, |pending| WriteError::Unavailable {
                        persistence_id: pending.write.persistence_id.clone(),
                        waited: pending.accepted.elapsed(),
                        source: Arc::clone(&source),
                    });
                    Vec::new()
                }
                Verdict::Unknown(source) => {
                    settle_all(part, &mut settled, |pending| unknown(pending, &source));
                    Vec::new()
                }
            };
            // What still waits came later than all that was just settled.
            let failed = failed_ids(&settled[before..]);
            for later in &mut parts {
                give_up(later, &failed, &mut settled);
            }
            parts.extend(again);
        }
        settled
    }

    /// Settles the writes whose fate can be told and gives back parts to try, last part first.
    async fn isolate(
        &mut self,
        mut part: Vec<PendingWrite>,
        error: tokio_postgres::Error,
        settled: &mut Vec<Settled>,
    ) -> Vec<Vec<PendingWrite>> {
        if matches!(classify(&error), ErrorClass::Duplicate { .. }) {
            match self.look_up(&part).await {
                Ok(found) => {
                    let count = part.len();
                    part = settle_found(part, found, settled);
                    if part.len() < count {
                        return vec![part];
                    }
                }
                Err(source) => {
                    settle_all(part, settled, |pending| unknown(pending, &source));
                    return Vec::new();
                }
            }
        }
        if part.len() > 1 {
            let right = part.split_off(part.len() / 2);
            return vec![right, part];
        }
        let reason = Rejection::refused(error);
        settle_all(part, settled, |pending| {
            WriteError::rejected(&pending.write, reason.clone())
        });
        Vec::new()
    }

    /// Sends a part as one statement, on a new connection where the old one is lost. A part that
    /// was sent and not answered is sent again: rows that the first try did store, or is still
    /// about to store, make the second fail as duplicates, and are then recognised by their writer.
    async fn insert(&mut self, part: &[PendingWrite]) -> Verdict {
        let (deadline, patience) = (self.deadline(part), self.patience);
        let (mut sent, mut retries) = (false, 0);
        loop {
            let session = match self.session(deadline).await {
                Ok(session) => session,
                Err(source) if sent => return Verdict::Unknown(source),
                Err(source) => return Verdict::Unavailable(source),
            };
            let answer = tokio::time::timeout(patience, session.insert(part)).await;
            let error = match answer {
                Ok(Ok(())) => return Verdict::Stored,
                Ok(Err(error)) => error,
                Err(_) => {
                    self.session = None;
                    return Verdict::Unknown(Arc::new(NoAnswer { waited: patience }));
                }
            };
            match classify(&error) {
                ErrorClass::ConnectionLost => {
                    tracing::warn!(lane = self.number, error = %error, "the connection was lost while writing");
                    self.session = None;
                    sent = true;
                    if Instant::now() >= deadline {
                        return Verdict::Unknown(Arc::new(error));
                    }
                }
                ErrorClass::Retryable if retries < RETRIES => retries += 1,
                ErrorClass::Duplicate { .. } | ErrorClass::Refused => {
                    return Verdict::Guilty(error);
                }
                ErrorClass::Other if !sent => return Verdict::Guilty(error),
                // This try stored nothing, but nobody knows what an earlier one did.
                _ if sent => return Verdict::Unknown(Arc::new(error)),
                _ => return Verdict::Unavailable(Arc::new(error)),
            }
        }
    }

    /// What is stored where the writes of the part belong.
    async fn look_up(&mut self, part: &[PendingWrite]) -> Result<Vec<Stored>, SharedError> {
        let deadline = self.deadline(part);
        loop {
            let session = self.session(deadline).await?;
            match session.look_up(part).await {
                Ok(found) => return Ok(found),
                Err(error) if classify(&error) == ErrorClass::ConnectionLost => {
                    self.session = None;
                    if Instant::now() >= deadline {
                        return Err(Arc::new(error));
                    }
                }
                Err(error) => return Err(Arc::new(error)),
            }
        }
    }

    /// The connection, or a new one where it is lost.
    async fn session(&mut self, deadline: Instant) -> Result<&Session, SharedError> {
        let session = match self.session.take() {
            Some(session) if !session.is_closed() => session,
            _ => self.connect(deadline).await?,
        };
        Ok(self.session.insert(session))
    }

    /// Tries at least once and until `deadline`.
    async fn connect(&self, deadline: Instant) -> Result<Session, SharedError> {
        let mut pause = Duration::from_millis(10);
        loop {
            match Session::open(&self.settings).await {
                Ok(session) => return Ok(session),
                Err(error) if Instant::now() + pause > deadline => return Err(Arc::new(error)),
                Err(error) => {
                    tracing::warn!(lane = self.number, error = %error, "no connection, trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    fn deadline(&self, part: &[PendingWrite]) -> Instant {
        let oldest = part.iter().map(|pending| pending.accepted).min();
        oldest.unwrap_or_else(Instant::now) + self.patience
    }
}

fn settle_all(
    part: impl IntoIterator<Item = PendingWrite>,
    settled: &mut Vec<Settled>,
    error: impl Fn(&PendingWrite) -> WriteError,
) {
    settled.extend(part.into_iter().map(|pending| {
        let error = error(&pending);
        (pending, Err(error))
    }));
}

fn failed_ids(settled: &[Settled]) -> HashSet<PersistenceId> {
    let failed = settled.iter().filter(|(_, result)| result.is_err());
    failed
        .map(|(pending, _)| pending.write.persistence_id.clone())
        .collect()
}

/// Settles the writes of persistence ids of which an earlier write failed.
fn give_up(
    part: &mut Vec<PendingWrite>,
    failed: &HashSet<PersistenceId>,
    settled: &mut Vec<Settled>,
) {
    if failed.is_empty() {
        return;
    }
    let behind = part.extract_if(.., |pending| failed.contains(&pending.write.persistence_id));
    settle_all(behind, settled, |pending| earlier_failed(&pending.write));
}

/// Settles what is there already, by this writer or another, with what came behind a conflict, and
/// gives back the rest.
fn settle_found(
    part: Vec<PendingWrite>,
    found: Vec<Stored>,
    settled: &mut Vec<Settled>,
) -> Vec<PendingWrite> {
    let (mut rest, mut failed) = (Vec::new(), HashSet::new());
    for (pending, stored) in part.into_iter().zip(found) {
        match stored {
            Stored::Nothing if failed.contains(&pending.write.persistence_id) => {
                let error = earlier_failed(&pending.write);
                settled.push((pending, Err(error)));
            }
            Stored::Nothing => rest.push(pending),
            Stored::ByThisWriter => settled.push((pending, Ok(()))),
            Stored::ByAnother { highest } => {
                failed.insert(pending.write.persistence_id.clone());
                let conflict = WriteError::Conflict {
                    persistence_id: pending.write.persistence_id.clone(),
                    attempted: pending.write.first,
                    highest,
                };
                settled.push((pending, Err(conflict)));
            }
        }
    }
    rest
}

fn unknown(pending: &PendingWrite, source: &SharedError) -> WriteError {
    WriteError::Unknown {
        persistence_id: pending.write.persistence_id.clone(),
        first: pending.write.first,
        last: pending.write.last().unwrap_or(pending.write.first),
        source: Arc::clone(source),
    }
}

#[derive(Debug, Error)]
#[error("the server did not answer within {waited:?}; look for a lock on the journal table")]
struct NoAnswer {
    waited: Duration,
}
