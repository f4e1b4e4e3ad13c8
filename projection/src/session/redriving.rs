//! Events that were given up, and are to be handled again.

use annals_persistence::{EventEnvelope, Offset, QueryError, Selection};
use futures::TryStreamExt;

use super::{FENCED, Interrupt, Session};
use crate::attempt::{Attempt, Settles};
use crate::failure::chain;
use crate::projection::Delivery;
use crate::table::{keep_letter, next_redrive, remove_letter};
use crate::trouble::Trouble;
use crate::worker::Ended;

impl Session {
    /// Each letter of the range that somebody asks for, once.
    pub(super) async fn redrive(&mut self) -> Result<(), Interrupt> {
        while let Some((offset, before)) = next_redrive(&*self.connection, &self.range).await? {
            let attempts = before.saturating_add(1);
            if let Err(error) = self.redrive_one(offset, attempts).await? {
                tracing::warn!(projection = %self.range.key, %offset, attempts, error, "an event was given up again");
                let (connection, range) = (&*self.connection, &self.range);
                keep_letter(connection, range, offset, attempts, Some(&error)).await?;
            }
            self.may_go_on()?;
        }
        Ok(())
    }

    /// The error is that of the event.
    async fn redrive_one(
        &mut self,
        offset: Offset,
        attempts: u32,
    ) -> Result<Result<(), String>, Interrupt> {
        let event = match self.event_at(offset).await {
            Ok(Some(event)) => [event],
            Ok(None) => return Ok(Err("the event is not in the journal any more".to_owned())),
            Err(error @ QueryError::MalformedRow { .. }) => return Ok(Err(error.to_string())),
            Err(QueryError::Stopped) => return Err(Interrupt::End(Ended::NoQueries)),
            Err(error) => return Err(Trouble::from(error).into()),
        };
        let attempt = match self.projection.delivery.clone() {
            Delivery::Exactly(handler) => {
                self.exactly(&*handler, &event, Settles::Letter(offset))
                    .await
            }
            Delivery::AtLeast(handler) => {
                let attempt = self.anywhere(&*handler, &event).await;
                self.removed(attempt, offset).await?
            }
            Delivery::AtMost(handler) => {
                // Nobody asks for it any more before the handler is called.
                let (connection, range) = (&*self.connection, &self.range);
                keep_letter(connection, range, offset, attempts, None).await?;
                let attempt = self.anywhere(&*handler, &event).await;
                self.removed(attempt, offset).await?
            }
        };
        match attempt {
            Attempt::Done => Ok(Ok(())),
            Attempt::Failed(error) => Ok(Err(chain(&*error))),
            Attempt::Interrupted(interrupt) => Err(interrupt),
        }
    }

    async fn removed(&self, attempt: Attempt, offset: Offset) -> Result<Attempt, Interrupt> {
        if let Attempt::Done = attempt
            && !remove_letter(&*self.connection, &self.range, self.epoch, offset).await?
        {
            return Err(FENCED);
        }
        Ok(attempt)
    }

    async fn event_at(&self, offset: Offset) -> Result<Option<EventEnvelope>, QueryError> {
        let before = Offset::new(offset.get() - 1);
        let mut events = self.query.current_events(Selection::all(), before);
        let event = events.try_next().await?;
        Ok(event.filter(|it| it.offset == offset))
    }
}
