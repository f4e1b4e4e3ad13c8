use std::sync::Arc;

use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{AggregateContext, AggregateError, EventStore};
use postgres_es::{PostgresCqrs, PostgresEventRepository, postgres_cqrs};
use scenario::{BoxError, Place, Uuid};
use sqlx::PgPool;

use crate::account::{Account, Command, Overdrawn};

#[derive(Clone)]
pub struct Bank {
    cqrs: Arc<PostgresCqrs<Account>>,
    store: Arc<PersistedEventStore<PostgresEventRepository, Account>>,
    pool: PgPool,
}

impl scenario::Bank for Bank {
    type Refusal = Overdrawn;

    async fn open(place: &Place) -> Result<Self, BoxError> {
        let pool = PgPool::connect(&place.url).await?;
        sqlx::raw_sql(include_str!("events.sql"))
            .execute(&pool)
            .await?;
        let events = PostgresEventRepository::new(pool.clone());
        Ok(Self {
            cqrs: Arc::new(postgres_cqrs(pool.clone(), vec![], ())),
            store: Arc::new(PersistedEventStore::new_event_store(events)),
            pool,
        })
    }

    async fn deposit(&self, id: Uuid, cents: i64) -> Result<i64, BoxError> {
        self.execute(id, Command::Deposit { cents }).await?;
        self.balance(id).await
    }

    async fn withdraw(&self, id: Uuid, cents: i64) -> Result<Result<i64, Overdrawn>, BoxError> {
        match self.execute(id, Command::Withdraw { cents }).await {
            Ok(()) => Ok(Ok(self.balance(id).await?)),
            Err(AggregateError::UserError(overdrawn)) => Ok(Err(overdrawn)),
            Err(error) => Err(error.into()),
        }
    }

    // An answer is no part of a command here. A view would give the balance too, but two commands
    // at once can lose an update of it, so it is the events that are asked.
    async fn balance(&self, id: Uuid) -> Result<i64, BoxError> {
        let mut account = self.store.load_aggregate(&id.to_string()).await?;
        Ok(account.aggregate().balance)
    }

    async fn close(self) {
        self.pool.close().await;
    }
}

impl Bank {
    // Another command was faster: load and decide again.
    async fn execute(&self, id: Uuid, command: Command) -> Result<(), AggregateError<Overdrawn>> {
        let id = id.to_string();
        loop {
            match self.cqrs.execute(&id, command.clone()).await {
                Err(AggregateError::AggregateConflict) => {}
                outcome => return outcome,
            }
        }
    }
}
