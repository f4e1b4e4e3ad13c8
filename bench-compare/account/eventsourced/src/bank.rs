use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use eventsourced::binarize::serde_json::SerdeJsonBinarize;
use eventsourced::snapshot_store::noop::NoopSnapshotStore;
use eventsourced::{Command, EntityRef, EventSourcedExt};
use eventsourced_postgres::{PostgresEventLog, PostgresEventLogConfig};
use scenario::{BoxError, Place, Uuid};
use tokio::sync::Mutex;

use crate::account::{Account, Balance, Deposit, Overdrawn, Withdraw};

#[derive(Clone)]
pub struct Bank {
    log: PostgresEventLog<Uuid>,
    accounts: Arc<Mutex<HashMap<Uuid, EntityRef<Account>>>>,
}

const MAILBOX: NonZeroUsize = NonZeroUsize::new(64).unwrap();

impl scenario::Bank for Bank {
    type Refusal = Overdrawn;

    async fn open(place: &Place) -> Result<Self, BoxError> {
        let log = PostgresEventLog::new(PostgresEventLogConfig {
            host: place.host.clone(),
            user: place.user.clone(),
            password: "none".to_owned(), // an empty one would be taken for what comes after it
            dbname: place.database.clone(),
            setup: true,
            ..Default::default()
        })
        .await?;
        Ok(Self {
            log,
            accounts: Arc::default(),
        })
    }

    async fn deposit(&self, id: Uuid, cents: i64) -> Result<i64, BoxError> {
        Ok(self.ask(id, Deposit { cents }).await??)
    }

    async fn withdraw(&self, id: Uuid, cents: i64) -> Result<Result<i64, Overdrawn>, BoxError> {
        self.ask(id, Withdraw { cents }).await
    }

    async fn balance(&self, id: Uuid) -> Result<i64, BoxError> {
        Ok(self.ask(id, Balance).await??)
    }

    async fn close(self) {}
}

impl Bank {
    async fn ask<C: Command<Account>>(
        &self,
        id: Uuid,
        command: C,
    ) -> Result<Result<C::Reply, C::Error>, BoxError> {
        let account = self.account(id).await?;
        match account.handle_command(command).await {
            Ok(outcome) => Ok(outcome),
            // It stopped, and does not say whether the event is stored: the next one reads that.
            Err(error) => {
                self.accounts.lock().await.remove(&id);
                Err(error.into())
            }
        }
    }

    // There must be one entity an id: two would take the same sequence number.
    async fn account(&self, id: Uuid) -> Result<EntityRef<Account>, BoxError> {
        let mut accounts = self.accounts.lock().await;
        if let Some(account) = accounts.get(&id) {
            return Ok(account.clone());
        }
        let account = Account::default()
            .entity()
            .spawn(
                id,
                None,
                MAILBOX,
                self.log.clone(),
                NoopSnapshotStore::new(),
                SerdeJsonBinarize,
            )
            .await?;
        accounts.insert(id, account.clone());
        Ok(account)
    }
}
