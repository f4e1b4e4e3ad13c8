use std::slice;
use std::sync::Arc;

use annals_persistence::{EventEnvelope, EventStream, Offset, QueryError, QueryRef};
use annals_postgres::{Connection, Settings, connect};
use futures::{FutureExt, StreamExt};
use tokio::time::Instant;

use crate::attempt::{Attempt, CutShort, exactly_once, guarded};
use crate::failure::{GiveUp, Next, chain};
use crate::group::{Group, Unsaved};
use crate::orders::{Halt, Listener};
use crate::projection::Delivery;
use crate::rate::Rate;
use crate::table::{Progress, RangeKey, Setback, Taken, give_up, note_failure, save, stop_range};
use crate::trouble::Trouble;
use crate::worker::{Ended, Worker, release_quietly};
use crate::{HandlerError, Projection, ProjectionFailed};

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
}

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
        match self.listener.halt(self.epoch).now_or_never() {
            Some(halt) => Err(Interrupt::Halt(halt)),
            None => Ok(()),
        }
    }

    async fn attempt(&mut self, events: &[EventEnvelope]) -> Attempt {
        let count = events.len() as u64;
        let Some(read_to) = events.last().map(|it| it.offset) else {
            return Attempt::Done;
        };
        match self.projection.delivery.clone() {
            Delivery::Exactly(handler) => {
                let progress = self.progress(count, read_to);
                let cut = CutShort::by(&self.projection, &self.listener, self.epoch);
                let range = &self.range;
                let done = exactly_once(
                    &mut self.connection,
                    &*handler,
                    events,
                    range,
                    progress,
                    cut,
                );
                let attempt = done.await;
                match &attempt {
                    Attempt::Done => {
                        self.unsaved.handled(count, read_to, Instant::now());
                        self.unsaved.saved();
                    }
                    // What it left undone goes on there for a while.
                    Attempt::Failed(error) if CutShort::is_too_slow(error) => {
                        match connect(&self.settings).await {
                            Ok(connection) => self.connection = connection,
                            Err(error) => return Attempt::Interrupted(error.into()),
                        }
                    }
                    Attempt::Failed(_) | Attempt::Interrupted(_) => {}
                }
                attempt
            }
            Delivery::AtLeast(handler) | Delivery::AtMost(handler) => {
                let cut = CutShort::by(&self.projection, &self.listener, self.epoch);
                match guarded(handler.run(events), cut).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Attempt::Failed(error),
                    Err(halt) => return Attempt::Interrupted(Interrupt::Halt(halt)),
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

    async fn at_most_once(&mut self, events: &[EventEnvelope]) -> Result<(), Interrupt> {
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

    /// Stands before a row that cannot be read, as before an event that its handler fails on.
    async fn pass_malformed(&mut self, offset: Offset, reason: String) -> Result<(), Interrupt> {
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
    async fn set_back(&mut self, setback: Setback) -> Result<bool, Interrupt> {
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

    async fn give_up(&mut self, how: GiveUp, setback: Setback) -> Result<(), Interrupt> {
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
        if !save(&transaction, &self.range, self.epoch, progress.at).await? {
            return Err(FENCED);
        }
        transaction.commit().await?;
        self.unsaved.handled(1, read_to, Instant::now());
        self.unsaved.saved();
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Interrupt> {
        let Some((events, read_to)) = self.unsaved.pending() else {
            return Ok(());
        };
        let progress = self.progress(events, read_to);
        if !save(&*self.connection, &self.range, self.epoch, progress.at).await? {
            return Err(FENCED);
        }
        self.unsaved.saved();
        Ok(())
    }

    fn progress(&mut self, events: u64, read_to: Offset) -> UnderEpoch {
        let rate = self.rate.count(events, Instant::now());
        UnderEpoch {
            epoch: self.epoch,
            at: Progress {
                read_to,
                events,
                rate,
            },
        }
    }
}

/// What to save, by whose right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnderEpoch {
    pub(crate) epoch: i64,
    pub(crate) at: Progress,
}

impl Setback {
    fn of(event: &EventEnvelope, attempts: u32, error: &(dyn std::error::Error + 'static)) -> Self {
        let id = event.persistence_id.as_str().to_owned();
        Self {
            offset: event.offset,
            event: Some((id, event.sequence_number.get())),
            attempts,
            error: chain(error),
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
