use std::time::Duration;

use annals_persistence::{EventEnvelope, Offset};
use annals_postgres::Connection;
use futures::future::join;
use thiserror::Error;
use tokio_postgres::NoTls;

use crate::handler::AnyTransactionHandler;
use crate::orders::{Halt, Listener};
use crate::session::Interrupt;
use crate::table::{Progress, RangeKey, remove_letter, save};
use crate::trouble::{Trouble, handler_passes, passes};
use crate::{Handled, HandlerError, Projection};

/// How one call of a handler went.
pub(crate) enum Attempt {
    /// What it did counts.
    Done,
    /// The events are to blame.
    Failed(HandlerError),
    /// They are not.
    Interrupted(Interrupt),
}

/// What is stored in the transaction of the handler, by whose right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnderEpoch {
    pub(crate) epoch: i64,
    pub(crate) settles: Settles,
}

/// What says that events are dealt with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settles {
    /// They lie before the offset.
    Offset(Progress),
    /// The dead letter is gone.
    Letter(Offset),
}

/// What ends a call before its end.
pub(crate) struct CutShort {
    listener: Listener,
    epoch: i64,
    patience: Duration,
}

#[derive(Debug, Error)]
#[error(
    "the handler took longer than {patience:?}; make it quicker, or raise the patience of the projection"
)]
struct TooSlow {
    patience: Duration,
}

impl CutShort {
    pub(crate) fn by(projection: &Projection, listener: &Listener, epoch: i64) -> Self {
        Self {
            listener: listener.clone(),
            epoch,
            patience: projection.patience,
        }
    }

    /// Whether a call was cut short for its length.
    pub(crate) fn is_too_slow(error: &HandlerError) -> bool {
        error.is::<TooSlow>()
    }
}

/// What the handler gives, unless the right to run it ends meanwhile.
pub(crate) async fn guarded(
    handling: impl Future<Output = Handled>,
    mut cut: CutShort,
) -> Result<Handled, Halt> {
    let patience = cut.patience;
    tokio::select! {
        biased;
        halt = cut.listener.abort(cut.epoch) => Err(halt),
        handled = tokio::time::timeout(patience, handling) => {
            Ok(handled.unwrap_or_else(|_| Err(TooSlow { patience }.into())))
        }
    }
}

/// The handler and the offset, or the letter, in one transaction. The offset comes last: it is the fence,
/// and its row is locked no longer than the commit takes.
pub(crate) async fn exactly_once(
    connection: &mut Connection,
    handler: &dyn AnyTransactionHandler,
    events: &[EventEnvelope],
    range: &RangeKey,
    under: UnderEpoch,
    cut: CutShort,
) -> Attempt {
    let cancel = connection.cancel_token();
    let transaction = match connection.transaction().await {
        Ok(transaction) => transaction,
        Err(error) => return Attempt::Interrupted(error.into()),
    };
    let limit = limit_of(cut.patience);
    let handling = async {
        // Sent ahead of what the handler sends, and not waited for.
        let limit = transaction.batch_execute(&limit);
        let (limit, handled) = join(limit, handler.run(events, &transaction)).await;
        handled.and_then(|()| limit.map_err(HandlerError::from))
    };
    let handled = match guarded(handling, cut).await {
        Ok(Err(error)) if CutShort::is_too_slow(&error) => {
            // Best effort; what runs on holds locks.
            let _ = cancel.cancel_query(NoTls).await;
            return Attempt::Failed(error);
        }
        Ok(handled) => handled,
        Err(halt) => {
            let _ = cancel.cancel_query(NoTls).await;
            return Attempt::Interrupted(Interrupt::Halt(halt));
        }
    };
    if let Err(error) = handled {
        let rolled_back = transaction.rollback().await;
        return match rolled_back {
            _ if handler_passes(&error) => Attempt::Interrupted(Trouble::Handler(error).into()),
            Err(error) => Attempt::Interrupted(error.into()),
            Ok(()) => Attempt::Failed(error),
        };
    }
    let settled = match under.settles {
        Settles::Offset(progress) => save(&transaction, range, under.epoch, progress).await,
        Settles::Letter(offset) => remove_letter(&transaction, range, under.epoch, offset).await,
    };
    match settled {
        Ok(true) => {}
        Ok(false) => return Attempt::Interrupted(Interrupt::Halt(Halt::Fenced)),
        Err(error) => return blame(error),
    }
    match transaction.commit().await {
        Ok(()) => Attempt::Done,
        Err(error) => blame(error),
    }
}

/// A constraint that is checked at the end, or an error that the handler passed over, is the handler's.
fn blame(error: tokio_postgres::Error) -> Attempt {
    match passes(&error) || error.as_db_error().is_none() {
        true => Attempt::Interrupted(error.into()),
        false => Attempt::Failed(error.into()),
    }
}

/// A process that stands still must not hold locks for ever. A second more than the process itself waits.
fn limit_of(patience: Duration) -> String {
    let millis = patience
        .as_millis()
        .saturating_add(1000)
        .min(i32::MAX as u128);
    format!("set local idle_in_transaction_session_timeout = {millis}")
}
