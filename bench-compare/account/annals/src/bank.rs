use annals::{Annals, EntityError, EntityRef};
use scenario::{BoxError, Place, Uuid};

use crate::account::{Account, Command, Overdrawn};

#[derive(Clone)]
pub struct Bank {
    annals: Annals,
}

impl scenario::Bank for Bank {
    type Refusal = Overdrawn;

    async fn open(place: &Place) -> Result<Self, BoxError> {
        let annals = Annals::connect(&place.url).await?;
        Ok(Self { annals })
    }

    async fn deposit(&self, id: Uuid, cents: i64) -> Result<i64, BoxError> {
        let account = self.account(id).await?;
        let deposit = |reply| Command::Deposit(cents, reply);
        Ok(account.ask(deposit).await?)
    }

    async fn withdraw(&self, id: Uuid, cents: i64) -> Result<Result<i64, Overdrawn>, BoxError> {
        let account = self.account(id).await?;
        let withdraw = |reply| Command::Withdraw(cents, reply);
        Ok(account.ask(withdraw).await?)
    }

    async fn balance(&self, id: Uuid) -> Result<i64, BoxError> {
        let account = self.account(id).await?;
        Ok(account.ask(Command::Balance).await?)
    }

    async fn close(self) {
        self.annals.shutdown().await;
    }
}

impl Bank {
    async fn account(&self, id: Uuid) -> Result<EntityRef<Command>, EntityError> {
        self.annals.entity::<Account>(&id.to_string()).await
    }
}
