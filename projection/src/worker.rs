use std::sync::Arc;

use annals_persistence::{Backoff, QueryRef};
use annals_postgres::{Settings, connect};

use crate::failure::chain;
use crate::lease::Lease;
use crate::orders::{Halt, Listener};
use crate::session::{Interrupt, Session};
use crate::table::{RangeKey, note_trouble, release, take};
use crate::trouble::Trouble;
use crate::{Projection, ProjectionFailed};

/// Runs one range until it is told to let go, another process has it, or its handler's failure ends it:
/// session after session, each under an epoch of its own.
pub(crate) struct Worker {
    pub(crate) projection: Arc<Projection>,
    pub(crate) range: RangeKey,
    pub(crate) member: Arc<str>,
    pub(crate) settings: Settings,
    pub(crate) query: QueryRef,
    pub(crate) listener: Listener,
}

/// How a worker ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It let go, or somebody else has the range, or nobody may run it.
    LetGo,
    /// There are no queries any more.
    NoQueries,
    /// The projection is to end.
    Failed(ProjectionFailed),
}

impl Worker {
    pub(crate) async fn run(mut self) -> Ended {
        let mut troubles = 0;
        let mut last = None;
        loop {
            if !self.listener.may_begin().await {
                return Ended::LetGo;
            }
            let mut progressed = false;
            match self.session(last.take(), &mut progressed).await {
                Interrupt::Halt(Halt::Release) => return Ended::LetGo,
                Interrupt::Halt(Halt::Fenced | Halt::LeaseOver) => troubles = 0,
                Interrupt::End(ended) => return ended,
                Interrupt::Trouble(trouble) => {
                    troubles = if progressed { 1 } else { troubles + 1 };
                    let error = chain(&trouble);
                    tracing::warn!(projection = %self.range.key, slices = %self.range.slices, error, "a projection was interrupted");
                    last = Some(error);
                    let delay = Backoff::default().delay(troubles, fastrand::f64());
                    self.listener.rest(delay).await;
                }
            }
        }
    }

    /// `before` is what ended the last one.
    async fn session(&mut self, before: Option<String>, progressed: &mut bool) -> Interrupt {
        let mut listener = self.listener.clone();
        let opened = tokio::select! {
            biased;
            opened = self.open(before) => opened,
            // Nothing is known of an epoch yet.
            halt = listener.halt(i64::MAX) => return Interrupt::Halt(halt),
        };
        let mut session = match opened {
            Ok(Some(session)) => session,
            Ok(None) => return Interrupt::End(Ended::LetGo),
            Err(trouble) => return Interrupt::Trouble(trouble),
        };
        let interrupt = session.run().await;
        *progressed = session.progressed();
        let finished = match interrupt {
            Interrupt::Halt(Halt::Release) | Interrupt::End(Ended::NoQueries) => {
                session.finish().await
            }
            _ => Ok(()),
        };
        if let Err(error) = finished {
            let error = format!("{error:?}");
            tracing::warn!(projection = %self.range.key, error, "a last offset was not saved");
        }
        if let Interrupt::Halt(Halt::Release) | Interrupt::End(_) = interrupt {
            session.let_go().await;
        }
        interrupt
    }

    async fn open(&self, before: Option<String>) -> Result<Option<Session>, Trouble> {
        let lease: Lease = self.projection.lease;
        let connection = connect(&self.settings).await?;
        let Some(taken) = take(&connection, &self.range, &self.member, lease).await? else {
            return Ok(None);
        };
        if let Some(error) = before {
            note_trouble(&*connection, &self.range, &error).await?;
        }
        Ok(Some(Session::new(self, connection, taken)))
    }
}

/// Whoever waits for the range need not wait until the lease ends. Best effort.
pub(crate) async fn release_quietly(client: &tokio_postgres::Client, range: &RangeKey, epoch: i64) {
    if let Err(error) = release(client, range, epoch).await {
        tracing::debug!(projection = %range.key, %error, "a lease was not given back");
    }
}
