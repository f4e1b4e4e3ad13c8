use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use annals_persistence::{PersistenceId, Revision, SharedError, StateRejection};
use annals_postgres::{ErrorClass, Pool, PoolError, Reader, classify};
use thiserror::Error;

use crate::pending::PendingWrite;
use crate::statement::{self, Stored};

/// Stores batches of writes and answers each of them.
#[derive(Debug)]
pub(crate) struct StateWriter {
    pool: Pool,
}

/// How long a write may wait for a server that is away or does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a batch is sent again that lost against another transaction.
const RETRIES: u32 = 5;

/// What became of writes that were sent as one statement.
enum Verdict {
    /// Those of these persistence ids are stored, the others did not follow the stored revision.
    Stored(HashSet<String>),
    /// Nothing is stored, and one row or more is to blame.
    Guilty(tokio_postgres::Error),
    /// Nothing is stored, and no row is to blame.
    Unavailable(SharedError),
    Unknown(SharedError),
}

/// What is known of a batch while it is tried.
struct Trial {
    deadline: Instant,
    /// Whether a try got no answer, so that it may have been stored by that one.
    unanswered: bool,
    retries: u32,
}

impl StateWriter {
    pub(crate) const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// At most one write of each persistence id.
    pub(crate) async fn write(&self, mut batch: Vec<PendingWrite>) {
        let oldest = batch.iter().map(|it| it.accepted).min();
        let mut trial = Trial {
            deadline: oldest.unwrap_or_else(Instant::now) + PATIENCE,
            unanswered: false,
            retries: 0,
        };
        // So that two processes lock rows in the same order.
        batch.sort_by(|one, other| one.persistence_id.cmp(&other.persistence_id));
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            match self.send(&part, &mut trial).await {
                Verdict::Stored(ids) => parts.extend(self.settle(part, &ids, &mut trial).await),
                Verdict::Guilty(_) if part.len() > 1 => {
                    let right = part.split_off(part.len() / 2);
                    parts.extend([right, part]);
                }
                Verdict::Guilty(error) if trial.unanswered => {
                    let source: SharedError = Arc::new(error);
                    part.into_iter()
                        .for_each(|it| it.unknown(Arc::clone(&source)));
                }
                Verdict::Guilty(error) => {
                    let reason = StateRejection::refused(error);
                    part.into_iter().for_each(|it| it.rejected(reason.clone()));
                }
                Verdict::Unavailable(source) => {
                    part.into_iter()
                        .for_each(|it| it.unavailable(Arc::clone(&source)));
                }
                Verdict::Unknown(source) => {
                    part.into_iter()
                        .for_each(|it| it.unknown(Arc::clone(&source)));
                }
            }
        }
    }

    /// Sends a part as one statement, on a new connection where the old one is lost. A part that
    /// was sent and not answered is sent again: what the first try did store, or is still about to
    /// store, makes the second one find another revision, and is then recognised by its writer.
    async fn send(&self, part: &[PendingWrite], trial: &mut Trial) -> Verdict {
        loop {
            let connection = match self.connection(trial.deadline).await {
                Ok(connection) => connection,
                Err(source) if trial.unanswered => return Verdict::Unknown(Arc::new(source)),
                Err(source) => return Verdict::Unavailable(Arc::new(source)),
            };
            let answer = tokio::time::timeout(PATIENCE, statement::write(&connection, part)).await;
            let error = match answer {
                Ok(Ok(ids)) => return Verdict::Stored(ids.into_iter().collect()),
                Ok(Err(error)) => error,
                Err(_) => return Verdict::Unknown(Arc::new(NoAnswer { waited: PATIENCE })),
            };
            match classify(&error) {
                ErrorClass::ConnectionLost => {
                    tracing::warn!(error = %error, "the connection was lost while writing durable states");
                    trial.unanswered = true;
                    if Instant::now() >= trial.deadline {
                        return Verdict::Unknown(Arc::new(error));
                    }
                }
                ErrorClass::Retryable if trial.retries < RETRIES => trial.retries += 1,
                ErrorClass::Duplicate { .. } | ErrorClass::Refused => {
                    return Verdict::Guilty(error);
                }
                // This try stored nothing, but nobody knows what an earlier one did.
                _ if trial.unanswered => return Verdict::Unknown(Arc::new(error)),
                ErrorClass::Other => return Verdict::Guilty(error),
                _ => return Verdict::Unavailable(Arc::new(error)),
            }
        }
    }

    /// Answers the writes that are stored and those that found another revision; gives back those
    /// to try again.
    async fn settle(
        &self,
        part: Vec<PendingWrite>,
        ids: &HashSet<String>,
        trial: &mut Trial,
    ) -> Option<Vec<PendingWrite>> {
        let (stored, others): (Vec<_>, Vec<_>) = part
            .into_iter()
            .partition(|it| ids.contains(it.persistence_id.as_str()));
        stored.into_iter().for_each(PendingWrite::stored);
        if others.is_empty() {
            return None;
        }
        let wanted: Vec<PersistenceId> =
            others.iter().map(|it| it.persistence_id.clone()).collect();
        let found = match self.look_up(&wanted, trial.deadline).await {
            Ok(found) => found,
            Err(source) => {
                others
                    .into_iter()
                    .for_each(|it| it.unknown(Arc::clone(&source)));
                return None;
            }
        };
        let mut again = Vec::new();
        for write in others {
            let stored = found.get(write.persistence_id.as_str());
            let revision = stored.map_or(Revision::NONE, |it| it.revision);
            if stored.is_some_and(|it| it.is_of(&write)) {
                write.stored();
            } else if revision == write.revision.previous() && trial.retries < RETRIES {
                // Somebody has taken away the row that was in its way.
                again.push(write);
            } else if trial.unanswered && revision > write.revision {
                let attempted = write.revision;
                write.unknown(Arc::new(Overtaken {
                    attempted,
                    stored: revision,
                }));
            } else {
                write.conflict(revision);
            }
        }
        trial.retries += 1;
        (!again.is_empty()).then_some(again)
    }

    async fn look_up(
        &self,
        ids: &[PersistenceId],
        deadline: Instant,
    ) -> Result<std::collections::HashMap<String, Stored>, SharedError> {
        loop {
            let connection = match self.connection(deadline).await {
                Ok(connection) => connection,
                Err(error) => return Err(Arc::new(error)),
            };
            let looking = statement::look_up(&connection, ids);
            match tokio::time::timeout(PATIENCE, looking).await {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(error))
                    if classify(&error) == ErrorClass::ConnectionLost
                        && Instant::now() < deadline => {}
                Ok(Err(error)) => return Err(Arc::new(error)),
                Err(_) => return Err(Arc::new(NoAnswer { waited: PATIENCE })),
            }
        }
    }

    /// Tries at least once and until `deadline`, unless the server refuses for good.
    async fn connection(&self, deadline: Instant) -> Result<Reader<'_>, PoolError> {
        loop {
            match self.pool.get().await {
                Err(error)
                    if !matches!(error, PoolError::Connect { .. }) && Instant::now() < deadline =>
                {
                    tracing::warn!(error = %error, "no connection to write durable states, trying again");
                }
                result => return result,
            }
        }
    }
}

#[derive(Debug, Error)]
#[error("the server did not answer within {waited:?}; look for a lock on the table durable_state")]
struct NoAnswer {
    waited: Duration,
}

#[derive(Debug, Error)]
#[error(
    "the connection was lost when revision {attempted} was sent, and meanwhile revision {stored} is stored: it was either overtaken or refused"
)]
struct Overtaken {
    attempted: Revision,
    stored: Revision,
}
