//! One connection that stores batches.

mod patience;
mod runs;
mod session;
mod settled;
pub(crate) mod skipped_rows;

use std::collections::{HashMap, HashSet};
use std::iter;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use annals_persistence::{PersistenceId, Rejection, SequenceNumber, SharedError, WriteError};
use annals_postgres::{ErrorClass, Layout, Settings, classify};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio_postgres::error::SqlState;

use crate::form::{Form, Forms};
use crate::freed_lanes::FreedLanes;
use crate::pending::{FailedWrite, PendingWrite};
use patience::TooLate;
use runs::{Numbered, runs};
pub(crate) use session::Session;
use session::{Inserted, Stored};
use settled::Settled;

pub(crate) struct Lane {
    pub(crate) number: usize,
    pub(crate) settings: Settings,
    pub(crate) form: Form,
    pub(crate) forms: Arc<Forms>,
    pub(crate) patience: Duration,
    pub(crate) session: Option<Session>,
    pub(crate) freed: FreedLanes,
    pub(crate) commits: watch::Sender<u64>,
}

/// A lane has dealt with its batch.
pub(crate) struct Freed {
    pub(crate) lane: usize,
    /// What waits or comes behind them must not be stored.
    pub(crate) failed: Vec<FailedWrite>,
}

/// Some writes that are sent as one statement.
struct Part {
    writes: Vec<PendingWrite>,
    /// They were sent before, and nobody knows what became of that.
    was_sent: bool,
    /// Their places were looked up, and were free.
    is_free: bool,
}

impl Part {
    const fn new(writes: Vec<PendingWrite>) -> Self {
        Self {
            writes,
            was_sent: false,
            is_free: false,
        }
    }

    fn cut_into_runs(self) -> impl Iterator<Item = Self> {
        let Self {
            writes,
            was_sent,
            is_free,
        } = self;
        runs(writes).into_iter().map(move |writes| Self {
            writes,
            was_sent,
            is_free,
        })
    }
}

/// What became of a part.
enum Verdict {
    Stored,
    /// Nothing is stored, and one row of the part or more is to blame.
    Guilty(Blame),
    /// Some rows are stored, and others were passed over.
    Torn,
    /// Nothing is stored, and no row is to blame.
    Unavailable(SharedError),
    /// Nothing is stored, and the statements are others from now on.
    OtherLayout,
    Unknown(SharedError),
}

/// What speaks against a part.
enum Blame {
    Error(tokio_postgres::Error),
    /// No row was stored, and no error says why.
    NoRows,
}

impl Blame {
    fn reason(self) -> Rejection {
        match self {
            Self::Error(error) if !skipped_rows::says_so(&error) => Rejection::refused(error),
            Self::Error(_) | Self::NoRows => Rejection::RowsSkipped,
        }
    }
}

/// How often a batch is sent again that lost against another transaction.
const RETRIES: u32 = 5;

impl Lane {
    /// Stores batch after batch until no more can come.
    pub(crate) async fn run(mut self, mut batches: mpsc::UnboundedReceiver<Vec<PendingWrite>>) {
        while let Some(batch) = self.next(&mut batches).await {
            let settled = self.store(batch).await;
            let freed = Freed {
                lane: self.number,
                failed: settled.failed_writes().collect(),
            };
            self.commits.send_modify(|count| *count += 1);
            // First the next batch, then the answers: the server need not wait for them.
            self.freed.tell(freed);
            settled.answer();
        }
        if let Some(session) = self.session {
            session.close().await;
        }
    }

    /// The next batch. A session that the server ends in the meantime is given up, so that the batch
    /// finds another one.
    async fn next(
        &mut self,
        batches: &mut mpsc::UnboundedReceiver<Vec<PendingWrite>>,
    ) -> Option<Vec<PendingWrite>> {
        if let Some(session) = &mut self.session {
            tokio::select! {
                biased;
                batch = batches.recv() => return batch,
                () = session.ended() => {}
            }
            self.session = None;
        }
        batches.recv().await
    }

    /// Stores a batch as one statement. If a row makes it fail, the writes that are to blame are
    /// found, and all others are stored nevertheless.
    async fn store(&mut self, batch: Vec<PendingWrite>) -> Settled {
        let mut settled = Settled::default();
        // Parts are taken from the end: the left half of a split comes before the right one, so
        // that the writes of a persistence id keep their order.
        let runs = if self.form.statements.gates() {
            runs(batch)
        } else {
            vec![batch]
        };
        let mut parts: Vec<Part> = runs.into_iter().rev().map(Part::new).collect();
        let mut catch_up = CatchUp::Possible;
        while let Some(mut part) = parts.pop() {
            if part.writes.is_empty() {
                continue;
            }
            let failures = settled.failures();
            let again = match self.insert(&mut part).await {
                Verdict::Stored => {
                    settled.store_all(part.writes);
                    Vec::new()
                }
                Verdict::Guilty(blame) => {
                    self.isolate(part, blame, &mut catch_up, &mut settled).await
                }
                Verdict::Torn => {
                    self.take_halves_back(part.writes, &mut settled).await;
                    Vec::new()
                }
                Verdict::OtherLayout => {
                    let rest = iter::once(part).chain(parts.drain(..).rev());
                    rest.flat_map(Part::cut_into_runs)
                        .collect::<Vec<_>>()
                        .into_iter()
                        .rev()
                        .collect()
                }
                Verdict::Unavailable(source) => {
                    settled.fail_all(part.writes, |pending| WriteError::Unavailable {
                        persistence_id: pending.write.persistence_id.clone(),
                        waited: pending.accepted.elapsed(),
                        source: Arc::clone(&source),
                    });
                    Vec::new()
                }
                Verdict::Unknown(source) => {
                    settled.fail_all(part.writes, |pending| unknown(pending, &source));
                    Vec::new()
                }
            };
            // What still waits came later than all that was just settled.
            let failed = settled.failed_ids(failures);
            for later in &mut parts {
                give_up(&mut later.writes, &failed, &mut settled);
            }
            parts.extend(again);
        }
        settled
    }

    /// Settles the writes whose fate can be told and gives back parts to try, last part first. For
    /// one guilty write of n that makes some 2 log2(n) statements, and one or two look-ups: places
    /// are looked up for the whole, and once more for each write that is left alone.
    async fn isolate(
        &mut self,
        mut part: Part,
        blame: Blame,
        catch_up: &mut CatchUp,
        settled: &mut Settled,
    ) -> Vec<Part> {
        let is_alone = part.writes.len() == 1;
        if self.may_be_taken(&blame) && (!part.is_free || is_alone) {
            let count = part.writes.len();
            let was_sent = part.was_sent;
            part.writes = match self.settle_taken(part.writes, was_sent, settled).await {
                Some(rest) => rest,
                None => return Vec::new(),
            };
            if part.writes.len() < count {
                return vec![part];
            }
            if self.form.statements.gates()
                && std::mem::replace(catch_up, CatchUp::Tried).is_possible()
            {
                match self.catch_up(&part.writes).await {
                    Ok(()) => return vec![part],
                    Err(error) => {
                        tracing::warn!(error = %error, "the metadata could not be brought up to the events")
                    }
                }
            }
            part.is_free = true;
        }
        if !is_alone {
            let writes = part.writes.split_off(part.writes.len() / 2);
            return vec![Part { writes, ..part }, part];
        }
        match blame {
            // A code of the user's own, or one that says nothing of an earlier try.
            Blame::Error(error) if part.was_sent && classify(&error) == ErrorClass::Other => {
                let source = shared(error);
                settled.fail_all(part.writes, |pending| unknown(pending, &source));
            }
            blame => {
                let reason = blame.reason();
                settled.fail_all(part.writes, |pending| {
                    WriteError::rejected(&pending.write, reason.clone())
                });
            }
        }
        Vec::new()
    }

    /// Whether another writer, or an earlier try, may have taken the place of a write.
    fn may_be_taken(&self, blame: &Blame) -> bool {
        match blame {
            Blame::NoRows => true,
            Blame::Error(error) => {
                let refused_by_the_gate = self.form.statements.gates()
                    && error.code() == Some(&SqlState::INVALID_TEXT_REPRESENTATION);
                refused_by_the_gate || matches!(classify(error), ErrorClass::Duplicate { .. })
            }
        }
    }

    /// Settles what is there already and what can never be stored; gives back the rest, or nothing if
    /// the server does not tell.
    async fn settle_taken(
        &mut self,
        part: Vec<PendingWrite>,
        was_sent: bool,
        settled: &mut Settled,
    ) -> Option<Vec<PendingWrite>> {
        let gates = self.form.statements.gates();
        // A gate counts its rows, so that its last row stands for a write.
        let part = match was_sent && !gates {
            true => self.take_lost_halves_back(part, settled).await?,
            false => part,
        };
        match self.look_up(&part).await {
            Ok(found) => Some(settle_found(part, found, gates, was_sent, settled)),
            Err(source) => {
                settled.fail_all(part, |pending| unknown(pending, &source));
                None
            }
        }
    }

    async fn catch_up(&mut self, part: &[PendingWrite]) -> Result<(), SharedError> {
        let deadline = self.deadline(part);
        let mut ids: Vec<&str> = part
            .iter()
            .map(|pending| pending.write.persistence_id.as_str())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let session = self.session(deadline).await?;
        session.catch_up(&ids).await.map_err(shared)
    }

    /// Sends a part as one statement, on a new connection where the old one is lost. A part that
    /// was sent and not answered is sent again: rows that the first try did store, or is still
    /// about to store, make the second fail as duplicates, and are then recognised by their writer.
    async fn insert(&mut self, part: &mut Part) -> Verdict {
        let (deadline, patience) = (self.deadline(&part.writes), self.patience);
        let mut retries = 0;
        loop {
            let session = match self.session(deadline).await {
                Ok(session) => session,
                Err(source) if part.was_sent => return Verdict::Unknown(source),
                Err(source) => return Verdict::Unavailable(source),
            };
            let error = match session.insert(&part.writes).await {
                Ok(Ok(inserted)) => return self.stored(&part.writes, inserted),
                Ok(Err(error)) => error,
                Err(TooLate) => {
                    self.session = None;
                    return Verdict::Unknown(Arc::new(NoAnswer { waited: patience }));
                }
            };
            match classify(&error) {
                ErrorClass::ConnectionLost => {
                    tracing::warn!(lane = self.number, error = %error, "the connection was lost while writing");
                    self.session = None;
                    part.was_sent = true;
                    if Instant::now() >= deadline {
                        return Verdict::Unknown(Arc::new(error));
                    }
                }
                ErrorClass::Retryable if retries < RETRIES => retries += 1,
                ErrorClass::NoPartition => {
                    let layout = self.form.layout();
                    let room = match layout {
                        Layout::Flat => self.take_other_form().await,
                        _ => {
                            let partitions = &self.form.partitions;
                            partitions.make_room(&part.writes, deadline).await
                        }
                    };
                    match room {
                        Ok(()) if layout == self.form.layout() => {}
                        Ok(()) if !part.was_sent => return Verdict::OtherLayout,
                        // Cut anew it could not be told from what the earlier try stored.
                        Ok(()) => return Verdict::Unknown(Arc::new(error)),
                        Err(source) if part.was_sent => return Verdict::Unknown(source),
                        // The partitions of the others may be there.
                        Err(_) if part.writes.len() > 1 => {
                            return Verdict::Guilty(Blame::Error(error));
                        }
                        Err(source) => return Verdict::Unavailable(source),
                    }
                }
                ErrorClass::Duplicate { .. } | ErrorClass::Refused | ErrorClass::Other => {
                    return Verdict::Guilty(Blame::Error(error));
                }
                // This try stored nothing, but nobody knows what an earlier one did.
                _ if part.was_sent => return Verdict::Unknown(Arc::new(error)),
                _ => return Verdict::Unavailable(Arc::new(error)),
            }
        }
    }

    /// A flat journal has no partitions that could be missing: it was moved since this lane began.
    async fn take_other_form(&mut self) -> Result<(), SharedError> {
        let other = self.forms.other_than(self.form.layout()).await;
        self.form = other.map_err(|error| Arc::new(error) as SharedError)?;
        // What is prepared there are the statements of the other layout.
        self.session = None;
        Ok(())
    }

    fn stored(&self, part: &[PendingWrite], inserted: Inserted) -> Verdict {
        let sent: usize = part.iter().map(|pending| pending.write.events.len()).sum();
        self.form.partitions.written(part, inserted.newest);
        match inserted.events {
            0 => Verdict::Guilty(Blame::NoRows),
            stored if stored == sent as u64 => Verdict::Stored,
            _ => Verdict::Torn,
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
    async fn session(&mut self, deadline: Instant) -> Result<&mut Session, SharedError> {
        let session = match self.session.take() {
            Some(session) if !session.is_closed() => session,
            _ => self.connect(deadline).await?,
        };
        Ok(self.session.insert(session))
    }

    /// Tries at least once and until `deadline`.
    async fn connect(&mut self, deadline: Instant) -> Result<Session, SharedError> {
        let mut pause = Duration::from_millis(10);
        loop {
            match Session::open(&self.settings, &self.form.statements, self.patience).await {
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

impl Numbered for PendingWrite {
    fn persistence_id(&self) -> &PersistenceId {
        &self.write.persistence_id
    }

    fn numbers(&self) -> RangeInclusive<i64> {
        let first = self.write.first;
        first.get()..=self.write.last().unwrap_or(first).get()
    }
}

/// Settles the writes of persistence ids of which an earlier write failed.
fn give_up(part: &mut Vec<PendingWrite>, failed: &HashSet<PersistenceId>, settled: &mut Settled) {
    if failed.is_empty() {
        return;
    }
    let behind = part.extract_if(.., |pending| failed.contains(&pending.write.persistence_id));
    settled.fail_all(behind, |pending| WriteError::earlier_failed(&pending.write));
}

/// Settles what is there already, by this writer or another, and what can never be stored because its
/// persistence id is further, or behind a gate not as far; with what came behind that. Gives back the rest.
///
/// Where a part `was_sent` before and its numbers are used up by nobody who is there, it may have been
/// stored and erased since.
fn settle_found(
    part: Vec<PendingWrite>,
    found: Vec<Stored>,
    gates: bool,
    was_sent: bool,
    settled: &mut Settled,
) -> Vec<PendingWrite> {
    let (mut rest, mut failed, mut doubtful) = (Vec::new(), HashSet::new(), HashSet::new());
    let mut highest_then = HashMap::new();
    let erased: SharedError = Arc::new(ErasedSince);
    for (pending, stored) in part.into_iter().zip(found) {
        let (persistence_id, first) = (pending.write.persistence_id.clone(), pending.write.first);
        let conflict_with = match stored {
            Stored::ByThisWriter => {
                settled.store(pending);
                continue;
            }
            Stored::Nothing { .. } if doubtful.contains(&persistence_id) => None,
            Stored::Nothing { .. } if failed.contains(&persistence_id) => {
                let error = WriteError::earlier_failed(&pending.write);
                settled.fail(pending, error);
                continue;
            }
            Stored::Erased { .. } if was_sent => None,
            Stored::Nothing { highest } if was_sent && gates && first <= highest => None,
            Stored::ByAnother { highest } | Stored::Erased { highest } => Some(highest),
            Stored::Nothing { highest } => {
                let before = highest_then.get(&persistence_id).copied();
                let before: SequenceNumber = before.unwrap_or(highest);
                if !gates || (first > highest && first <= before.next()) {
                    let last = pending.write.last().unwrap_or(before).max(before);
                    highest_then.insert(persistence_id, last);
                    rest.push(pending);
                    continue;
                }
                Some(highest)
            }
        };
        let error = match conflict_with {
            Some(highest) => {
                failed.insert(persistence_id.clone());
                WriteError::Conflict {
                    persistence_id,
                    attempted: first,
                    highest,
                }
            }
            None => {
                doubtful.insert(persistence_id);
                unknown(&pending, &erased)
            }
        };
        settled.fail(pending, error);
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

#[derive(Debug, Error)]
#[error(
    "the answer to a write was lost, and its sequence numbers were deleted before they could be looked up; \
     recover to learn where to go on"
)]
struct ErasedSince;

/// Whether metadata that fell behind was brought up to the events already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CatchUp {
    Possible,
    Tried,
}

impl CatchUp {
    fn is_possible(self) -> bool {
        self == Self::Possible
    }
}

fn shared(error: tokio_postgres::Error) -> SharedError {
    Arc::new(error)
}
