//! What becomes of events that cannot be dealt with.

use annals_persistence::{EventEnvelope, Offset, QueryError};
use tokio::time::Instant;

use super::{FENCED, Interrupt, Session};
use crate::ProjectionFailed;
use crate::failure::{GiveUp, Next, chain};
use crate::table::{Setback, give_up, note_failure, save, stop_range};
use crate::worker::Ended;

impl Session {
    /// Stands before a row that cannot be read, as before an event that its handler fails on.
    pub(super) async fn pass_malformed(
        &mut self,
        offset: Offset,
        reason: String,
    ) -> Result<(), Interrupt> {
        let attempts = match self.malformed {
            Some((known, attempts)) if known == offset => attempts + 1,
            _ => 1,
        };
        self.malformed = Some((offset, attempts));
        let setback = Setback {
            offset,
            event: None,
            attempts,
            error: QueryError::MalformedRow { offset, reason }.to_string(),
        };
        self.set_back(setback).await?;
        let which = self.projection.within(self.range.slices);
        self.stream = self.query.events(which, self.unsaved.read_to());
        Ok(())
    }

    /// Waits for the next attempt, or says that there is none: the event is passed over.
    pub(super) async fn set_back(&mut self, setback: Setback) -> Result<bool, Interrupt> {
        // Whoever skips the event by hand must skip nothing else.
        self.flush().await?;
        match self
            .projection
            .on_failure
            .after(setback.attempts, fastrand::f64())
        {
            Next::RetryIn(delay) => {
                tracing::warn!(
                    projection = %self.range.key, offset = %setback.offset, attempts = setback.attempts,
                    error = setback.error, "an event could not be dealt with; it is tried again"
                );
                if !note_failure(&*self.connection, &self.range, self.epoch, &setback).await? {
                    return Err(FENCED);
                }
                tokio::select! {
                    biased;
                    halt = self.listener.halt(self.epoch) => Err(Interrupt::Halt(halt)),
                    () = tokio::time::sleep(delay) => Ok(false),
                }
            }
            Next::GiveUp(how) => {
                self.give_up(how, setback).await?;
                Ok(true)
            }
        }
    }

    pub(super) async fn give_up(&mut self, how: GiveUp, setback: Setback) -> Result<(), Interrupt> {
        let (key, offset) = (self.range.key.clone(), setback.offset);
        let attempts = setback.attempts;
        match how {
            GiveUp::DeadLetter => {
                tracing::error!(projection = %key, %offset, attempts, error = setback.error, "an event was given up");
                self.dead_letter(&setback).await
            }
            GiveUp::Stop => {
                tracing::error!(projection = %key, %offset, attempts, error = setback.error, slices = %self.range.slices, "a range of a projection was stopped");
                match stop_range(&*self.connection, &self.range, self.epoch, &setback).await? {
                    true => Err(Interrupt::End(Ended::LetGo)),
                    false => Err(FENCED),
                }
            }
            GiveUp::Fail => {
                tracing::error!(projection = %key, %offset, attempts, error = setback.error, "a projection failed");
                if !note_failure(&*self.connection, &self.range, self.epoch, &setback).await? {
                    return Err(FENCED);
                }
                let error = setback.error;
                Err(Interrupt::End(Ended::Failed(ProjectionFailed::Handler {
                    key,
                    offset,
                    error,
                })))
            }
        }
    }

    async fn dead_letter(&mut self, setback: &Setback) -> Result<(), Interrupt> {
        // At most once the offset is there already.
        let ahead = setback.offset > self.unsaved.read_to();
        let read_to = setback.offset.max(self.unsaved.read_to());
        let progress = self.progress(u64::from(ahead), read_to);
        let transaction = self.connection.transaction().await?;
        give_up(&transaction, &self.range, setback).await?;
        if !save(&transaction, &self.range, self.epoch, progress).await? {
            return Err(FENCED);
        }
        transaction.commit().await?;
        self.unsaved.handled(1, read_to, Instant::now());
        self.unsaved.saved();
        Ok(())
    }
}

impl Setback {
    pub(super) fn of(
        event: &EventEnvelope,
        attempts: u32,
        error: &(dyn std::error::Error + 'static),
    ) -> Self {
        let id = event.persistence_id.as_str().to_owned();
        Self {
            offset: event.offset,
            event: Some((id, event.sequence_number.get())),
            attempts,
            error: chain(error),
        }
    }
}
