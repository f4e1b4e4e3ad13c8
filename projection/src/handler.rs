use std::any::Any;
use std::panic::AssertUnwindSafe;

use annals_persistence::EventEnvelope;
use futures::FutureExt;
use futures::future::BoxFuture;
use thiserror::Error;
use tokio_postgres::Transaction;

/// Why a handler could not deal with an event: any error, by `?`.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// What a handler gives.
pub type Handled = Result<(), HandlerError>;

/// Writes what follows from events into tables of the same database, in the transaction that also
/// stores the offset: each event counts exactly once.
///
/// ```
/// use annals_persistence::EventEnvelope;
/// use annals_projection::{Handled, TransactionHandler};
/// use tokio_postgres::Transaction;
///
/// struct EventsOfEachId;
///
/// impl TransactionHandler for EventsOfEachId {
///     async fn handle(&self, event: &EventEnvelope, transaction: &Transaction<'_>) -> Handled {
///         let count = "insert into counts as c values ($1, 1) on conflict (id) do update set n = c.n + 1";
///         transaction.execute(count, &[&event.persistence_id.as_str()]).await?;
///         Ok(())
///     }
/// }
/// ```
///
/// What it does elsewhere than in the transaction may be done more than once. A transaction that idles
/// for longer than the patience of the projection is ended by the server.
pub trait TransactionHandler: Send + Sync + 'static {
    /// Deals with one event.
    fn handle(
        &self,
        event: &EventEnvelope,
        transaction: &Transaction<'_>,
    ) -> impl Future<Output = Handled> + Send;

    /// Deals with a group, in order: one statement for all of them is what makes a projection fast.
    /// Unless it is written it is [`Self::handle`] for each.
    fn handle_group(
        &self,
        events: &[EventEnvelope],
        transaction: &Transaction<'_>,
    ) -> impl Future<Output = Handled> + Send {
        async move {
            for event in events {
                self.handle(event, transaction).await?;
            }
            Ok(())
        }
    }
}

/// Does something about events anywhere: sends a mail, fills a search index.
///
/// A closure that takes an [`EventEnvelope`] is one:
///
/// ```
/// use annals_persistence::{EventEnvelope, Selection};
/// use annals_projection::Projection;
///
/// let printer = Projection::at_least_once("printer", Selection::all(), |event: EventEnvelope| async move {
///     println!("{} {}", event.offset, event.persistence_id);
///     Ok(())
/// });
/// ```
pub trait EventHandler: Send + Sync + 'static {
    /// Deals with one event.
    fn handle(&self, event: &EventEnvelope) -> impl Future<Output = Handled> + Send;

    /// Deals with a group, in order. Unless it is written it is [`Self::handle`] for each.
    fn handle_group(&self, events: &[EventEnvelope]) -> impl Future<Output = Handled> + Send {
        async move {
            for event in events {
                self.handle(event).await?;
            }
            Ok(())
        }
    }
}

impl<F, Fut> EventHandler for F
where
    F: Fn(EventEnvelope) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Handled> + Send,
{
    fn handle(&self, event: &EventEnvelope) -> impl Future<Output = Handled> + Send {
        self(event.clone())
    }
}

/// [`TransactionHandler`] without its type; a panic is an error.
pub(crate) trait AnyTransactionHandler: Send + Sync {
    fn run<'a>(
        &'a self,
        events: &'a [EventEnvelope],
        transaction: &'a Transaction<'a>,
    ) -> BoxFuture<'a, Handled>;
}

impl<H: TransactionHandler> AnyTransactionHandler for H {
    fn run<'a>(
        &'a self,
        events: &'a [EventEnvelope],
        transaction: &'a Transaction<'a>,
    ) -> BoxFuture<'a, Handled> {
        match events {
            [event] => caught(self.handle(event, transaction)),
            events => caught(self.handle_group(events, transaction)),
        }
    }
}

/// [`EventHandler`] without its type; a panic is an error.
pub(crate) trait AnyEventHandler: Send + Sync {
    fn run<'a>(&'a self, events: &'a [EventEnvelope]) -> BoxFuture<'a, Handled>;
}

impl<H: EventHandler> AnyEventHandler for H {
    fn run<'a>(&'a self, events: &'a [EventEnvelope]) -> BoxFuture<'a, Handled> {
        match events {
            [event] => caught(self.handle(event)),
            events => caught(self.handle_group(events)),
        }
    }
}

fn caught<'a>(handling: impl Future<Output = Handled> + Send + 'a) -> BoxFuture<'a, Handled> {
    // A handler that panicked half-way is called again, as one that failed half-way.
    let handling = AssertUnwindSafe(handling).catch_unwind();
    async {
        handling
            .await
            .unwrap_or_else(|panic| Err(Panicked::with(&*panic).into()))
    }
    .boxed()
}

#[derive(Debug, Error)]
#[error("the handler panicked: {message}")]
struct Panicked {
    message: String,
}

impl Panicked {
    fn with(panic: &(dyn Any + Send)) -> Self {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Self {
            message: message.unwrap_or("without a message").to_owned(),
        }
    }
}
