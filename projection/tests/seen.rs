//! A handler that notes each event in the table `seen`.

use std::time::Duration;

use annals_persistence::EventEnvelope;
use annals_projection::{Handled, TransactionHandler};
use tokio::sync::watch;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

/// Says how many events it has handled, whether or not that counted.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) calls: watch::Sender<usize>,
}

impl Seen {
    pub(crate) fn new() -> Self {
        Self {
            calls: watch::Sender::new(0),
        }
    }

    /// Returns after so many more events.
    pub(crate) async fn after(&self, more: usize) {
        let until = *self.calls.borrow() + more;
        let mut calls = self.calls.subscribe();
        let enough = calls.wait_for(|calls| *calls >= until);
        let enough = tokio::time::timeout(Duration::from_secs(60), enough).await;
        enough.expect("not within a minute").unwrap();
    }
}

impl TransactionHandler for Seen {
    async fn handle(&self, event: &EventEnvelope, transaction: &Transaction<'_>) -> Handled {
        note(event, transaction).await?;
        self.calls.send_modify(|calls| *calls += 1);
        Ok(())
    }
}

pub(crate) async fn note(event: &EventEnvelope, transaction: &Transaction<'_>) -> Handled {
    transaction
        .execute_typed(
            "insert into seen values ($1, $2, $3)",
            &[
                (&event.offset.get(), Type::INT8),
                (&event.persistence_id.as_str(), Type::TEXT),
                (&event.sequence_number.get(), Type::INT8),
            ],
        )
        .await?;
    Ok(())
}
