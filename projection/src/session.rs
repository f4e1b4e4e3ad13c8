mod delivering;
mod failing;
mod redriving;

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use annals_persistence::{EventEnvelope, EventStream, Offset, QueryError, QueryRef};
use annals_postgres::{Connection, Settings};
use futures::{FutureExt, StreamExt};
use tokio::time::Instant;

use crate::attempt::Attempt;
use crate::failure::chain;
use crate::group::{Group, Unsaved};
use crate::orders::{Halt, Listener};
use crate::projection::Delivery;
use crate::rate::Rate;
use crate::table::{Progress, RangeKey, Setback, Taken, save};
use crate::trouble::Trouble;
use crate::worker::{Ended, Worker, release_quietly};
use crate::{HandlerError, Projection};

/// One range under one epoch, from the offset that is saved.
pub(crate) struct Session {
    projection: Arc<Projection>,
    range: RangeKey,
    settings: Settings,
    query: QueryRef,
    listener: Listener,
    connection: Connection,
    epoch: i64,
    began_at: Offset,
    stream: EventStream,
    group: Group,
    unsaved: Unsaved,
    rate: Rate,
    /// A row that cannot be read, and how often that was found.
    malformed: Option<(Offset, u32)>,
    /// Hears of dead letters that are to be handled again, and when it last did.
    redrives: (Listener, u64),
}

/// Nothing came for so long.
const IDLE: Duration = Duration::from_secs(5);

/// Why a session ends.
#[derive(Debug)]
pub(crate) enum Interrupt {
    Halt(Halt),
    Trouble(Trouble),
    End(Ended),
}

impl<T: Into<Trouble>> From<T> for Interrupt {
    fn from(trouble: T) -> Self {
        Self::Trouble(trouble.into())
    }
}

const FENCED: Interrupt = Interrupt::Halt(Halt::Fenced);

impl Session {
    pub(crate) fn new(worker: &Worker, connection: Connection, taken: Taken) -> Self {
        let projection = Arc::clone(&worker.projection);
        let which = projection.within(worker.range.slices);
        Self {
            range: worker.range.clone(),
            settings: worker.settings.clone(),
            stream: worker.query.events(which, taken.read_to),
            query: worker.query.clone(),
            listener: worker.listener.clone(),
            redrives: (worker.listener.clone(), 0),
            connection,
            epoch: taken.epoch,
            began_at: taken.read_to,
            group: Group::new(projection.grouping),
            unsaved: Unsaved::behind(taken.read_to, projection.saving),
            rate: Rate::new(Instant::now()),
            malformed: None,
            projection,
        }
    }

    pub(crate) async fn run(&mut self) -> Interrupt {
        loop {
            if let Err(interrupt) = self.step().await {
                return interrupt;
            }
        }
    }

    /// Whether any event was dealt with.
    pub(crate) fn progressed(&self) -> bool {
        self.unsaved.read_to() > self.began_at
    }

    /// Saves what is not saved yet.
    pub(crate) async fn finish(&mut self) -> Result<(), Interrupt> {
        self.flush().await
    }

    /// Others may run the range.
    pub(crate) async fn let_go(&self) {
        release_quietly(&self.connection, &self.range, self.epoch).await;
    }

    async fn step(&mut self) -> Result<(), Interrupt> {
        let save = self.unsaved.due();
        let gathered = tokio::select! {
            biased;
            halt = self.listener.halt(self.epoch) => return Err(Interrupt::Halt(halt)),
            () = sleep_until(save) => return self.flush().await,
            () = tokio::time::sleep(IDLE) => return self.pass().await,
            seen = self.redrives.0.redrives(self.redrives.1) => {
                self.redrives.1 = seen;
                return self.redrive().await;
            }
            gathered = gather(&mut self.group, &mut self.stream) => gathered,
        };
        let events = self.group.take();
        if !events.is_empty() {
            self.deal_with(&events).await?;
        }
        match gathered {
            Ok(()) => Ok(()),
            Err(QueryError::Stopped) => Err(Interrupt::End(Ended::NoQueries)),
            Err(QueryError::MalformedRow { offset, reason }) => {
                self.pass_malformed(offset, reason).await
            }
            Err(error) => Err(Trouble::from(error).into()),
        }
    }

    async fn deal_with(&mut self, events: &[EventEnvelope]) -> Result<(), Interrupt> {
        if let Delivery::AtMost(_) = self.projection.delivery {
            return self.at_most_once(events).await;
        }
        match self.attempt(events).await {
            Attempt::Done => Ok(()),
            Attempt::Interrupted(interrupt) => Err(interrupt),
            Attempt::Failed(error) => match events {
                [event] => self.one(event, Some(error)).await,
                events => {
                    let (key, error) = (&self.range.key, chain(&*error));
                    tracing::warn!(projection = %key, events = events.len(), error, "a group failed; its events go one by one");
                    for event in events {
                        self.one(event, None).await?;
                    }
                    Ok(())
                }
            },
        }
    }

    /// Deals with one event for good; `failure` is what its first attempt gave.
    async fn one(
        &mut self,
        event: &EventEnvelope,
        mut failure: Option<HandlerError>,
    ) -> Result<(), Interrupt> {
        for attempts in 1.. {
            let error = match failure.take() {
                Some(error) => error,
                None => match self.attempt(slice::from_ref(event)).await {
                    Attempt::Done => break,
                    Attempt::Interrupted(interrupt) => return Err(interrupt),
                    Attempt::Failed(error) => error,
                },
            };
            if self.set_back(Setback::of(event, attempts, &*error)).await? {
                break;
            }
        }
        // A group that goes one by one may take its time.
        self.may_go_on()
    }

    fn may_go_on(&mut self) -> Result<(), Interrupt> {
        match self.listener.halt(self.epoch).now_or_never() {
            Some(halt) => Err(Interrupt::Halt(halt)),
            None => Ok(()),
        }
    }

    /// Saves how far the journal has been looked through: a restart need not do that again, and the lag is
    /// that of the handler.
    async fn pass(&mut self) -> Result<(), Interrupt> {
        let rests = self.group.due().is_none() && self.unsaved.pending().is_none();
        match self.stream.passed() {
            Some(passed) if rests && passed > self.unsaved.read_to() => {
                self.save(0, passed).await?;
                self.unsaved.passed(passed);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn flush(&mut self) -> Result<(), Interrupt> {
        let Some((events, read_to)) = self.unsaved.pending() else {
            return Ok(());
        };
        self.save(events, read_to).await?;
        self.unsaved.saved();
        Ok(())
    }

    async fn save(&mut self, events: u64, read_to: Offset) -> Result<(), Interrupt> {
        let progress = self.progress(events, read_to);
        match save(&*self.connection, &self.range, self.epoch, progress).await? {
            true => Ok(()),
            false => Err(FENCED),
        }
    }

    fn progress(&mut self, events: u64, read_to: Offset) -> Progress {
        Progress {
            read_to,
            events,
            rate: self.rate.count(events, Instant::now()),
        }
    }
}

/// Returns once the group should go, or when the stream has ended. Cancel safe: what has gathered stays
/// in the group.
async fn gather(group: &mut Group, stream: &mut EventStream) -> Result<(), QueryError> {
    while !group.is_full() {
        let next = match (stream.next().now_or_never(), group.due()) {
            (Some(next), _) => next,
            (None, None) => stream.next().await,
            (None, Some(due)) => match tokio::time::timeout_at(due, stream.next()).await {
                Ok(next) => next,
                Err(_) => return Ok(()),
            },
        };
        let event = next.unwrap_or(Err(QueryError::Stopped))?;
        group.push(event, Instant::now());
    }
    Ok(())
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
