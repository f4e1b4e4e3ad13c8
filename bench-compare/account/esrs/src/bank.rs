use std::sync::Arc;

use esrs::manager::AggregateManager;
use esrs::store::postgres::{PgStore, PgStoreBuilder, PgStoreError};
use scenario::{BoxError, Place, Uuid};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::account::{Account, Command, Overdrawn};

#[derive(Clone)]
pub struct Bank {
    accounts: Arc<AggregateManager<PgStore<Account>>>,
    pool: PgPool,
}

// Who waits for the lock of an account holds a connection, and who has it needs one more: the pool
// has to be larger than the number of commands at once.
const CONNECTIONS: u32 = 32;

impl scenario::Bank for Bank {
    type Refusal = Overdrawn;

    async fn open(place: &Place) -> Result<Self, BoxError> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect(&place.url)
            .await?;
        let store = PgStoreBuilder::new(pool.clone()).try_build().await?;
        Ok(Self {
            accounts: Arc::new(AggregateManager::new(store)),
            pool,
        })
    }

    async fn deposit(&self, id: Uuid, cents: i64) -> Result<i64, BoxError> {
        Ok(self.handle(id, Command::Deposit { cents }).await??)
    }

    async fn withdraw(&self, id: Uuid, cents: i64) -> Result<Result<i64, Overdrawn>, BoxError> {
        Ok(self.handle(id, Command::Withdraw { cents }).await?)
    }

    async fn balance(&self, id: Uuid) -> Result<i64, BoxError> {
        let account = self.accounts.load(id).await?.unwrap_or_default();
        Ok(account.inner().balance)
    }

    async fn close(self) {
        self.pool.close().await;
    }
}

impl Bank {
    async fn handle(
        &self,
        id: Uuid,
        command: Command,
    ) -> Result<Result<i64, Overdrawn>, PgStoreError> {
        let account = self.accounts.lock_and_load(id).await?.unwrap_or_default();
        let outcome = self.accounts.handle_command(account, command).await?;
        Ok(outcome.map(|state| state.balance))
    }
}
