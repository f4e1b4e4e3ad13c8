//! How events come to the handler, and how it is kept that they did.

use annals_persistence::EventEnvelope;
use annals_postgres::connect;
use tokio::time::Instant;

use super::{Interrupt, Session};
use crate::attempt::{Attempt, CutShort, Settles, UnderEpoch, exactly_once, guarded};
use crate::handler::{AnyEventHandler, AnyTransactionHandler};
use crate::projection::Delivery;
use crate::table::Setback;
use crate::trouble::{Trouble, handler_passes};

impl Session {
    /// Hands events over, and sees to it that their offset is saved.
    pub(super) async fn attempt(&mut self, events: &[EventEnvelope]) -> Attempt {
        let count = events.len() as u64;
        let Some(read_to) = events.last().map(|it| it.offset) else {
            return Attempt::Done;
        };
        match self.projection.delivery.clone() {
            Delivery::Exactly(handler) => {
                let progress = self.progress(count, read_to);
                let attempt = self
                    .exactly(&*handler, events, Settles::Offset(progress))
                    .await;
                if let Attempt::Done = attempt {
                    self.unsaved.handled(count, read_to, Instant::now());
                    self.unsaved.saved();
                }
                attempt
            }
            Delivery::AtLeast(handler) | Delivery::AtMost(handler) => {
                match self.anywhere(&*handler, events).await {
                    Attempt::Done => {}
                    Attempt::Interrupted(Interrupt::Trouble(trouble)) => {
                        // What was handled before it does not come again.
                        let flushed = self.flush().await;
                        return Attempt::Interrupted(flushed.err().unwrap_or(trouble.into()));
                    }
                    attempt => return attempt,
                }
                self.unsaved.handled(count, read_to, Instant::now());
                if self.unsaved.is_full()
                    && let Err(interrupt) = self.flush().await
                {
                    return Attempt::Interrupted(interrupt);
                }
                Attempt::Done
            }
        }
    }

    pub(super) async fn at_most_once(&mut self, events: &[EventEnvelope]) -> Result<(), Interrupt> {
        let (Delivery::AtMost(handler), Some(last)) =
            (self.projection.delivery.clone(), events.last())
        else {
            return Ok(());
        };
        let now = Instant::now();
        self.unsaved.handled(events.len() as u64, last.offset, now);
        self.flush().await?;
        let cut = CutShort::by(&self.projection, &self.listener, self.epoch);
        let Err(error) = guarded(handler.run(events), cut)
            .await
            .map_err(Interrupt::Halt)?
        else {
            return Ok(());
        };
        // Nobody knows how many of a group were handled, and none comes again.
        for event in events {
            let setback = Setback::of(event, 1, &*error);
            self.give_up(self.projection.on_failure.at_once(), setback)
                .await?;
        }
        Ok(())
    }

    /// In a transaction that also settles the events.
    pub(super) async fn exactly(
        &mut self,
        handler: &dyn AnyTransactionHandler,
        events: &[EventEnvelope],
        settles: Settles,
    ) -> Attempt {
        let cut = CutShort::by(&self.projection, &self.listener, self.epoch);
        let under = UnderEpoch {
            epoch: self.epoch,
            settles,
        };
        let (connection, range) = (&mut self.connection, &self.range);
        let attempt = exactly_once(connection, handler, events, range, under, cut).await;
        if let Attempt::Failed(error) = &attempt
            && CutShort::is_too_slow(error)
        {
            // What it left undone goes on there for a while.
            match connect(&self.settings).await {
                Ok(connection) => self.connection = connection,
                Err(error) => return Attempt::Interrupted(error.into()),
            }
        }
        attempt
    }

    /// Where nobody but the handler knows what it does.
    pub(super) async fn anywhere(
        &self,
        handler: &dyn AnyEventHandler,
        events: &[EventEnvelope],
    ) -> Attempt {
        let cut = CutShort::by(&self.projection, &self.listener, self.epoch);
        match guarded(handler.run(events), cut).await {
            Ok(Ok(())) => Attempt::Done,
            Ok(Err(error)) if handler_passes(&error) => {
                Attempt::Interrupted(Trouble::Handler(error).into())
            }
            Ok(Err(error)) => Attempt::Failed(error),
            Err(halt) => Attempt::Interrupted(Interrupt::Halt(halt)),
        }
    }
}
