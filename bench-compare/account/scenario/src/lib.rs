//! What an account has to do, whichever library it is written with.
//!
//! A library is behind the trait [`Bank`]; [`lives`] is what it has to pass. [`fails_to_deposit`]
//! and [`meets_another_writer`] give what its caller is told when a write does not come through.

use std::error::Error;
use std::fmt::Debug;

use annals_postgres::{PrivateServer, connect};
use futures::future::join_all;
pub use uuid::Uuid;

/// Why there is no answer: not a refusal, which is an answer.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Accounts by their ids. It can be called by many tasks at once.
pub trait Bank: Clone + Send + Sync + Sized + 'static {
    /// Why a withdrawal was refused; its `Debug` is `Overdrawn { balance: 500 }`.
    type Refusal: Debug + Send;

    /// Opens the accounts of a database, creating its tables if need be.
    fn open(place: &Place) -> impl Future<Output = Result<Self, BoxError>> + Send;

    /// Gives the new balance.
    fn deposit(&self, id: Uuid, cents: i64) -> impl Future<Output = Result<i64, BoxError>> + Send;

    /// Gives the new balance, or refuses.
    fn withdraw(
        &self,
        id: Uuid,
        cents: i64,
    ) -> impl Future<Output = Result<Result<i64, Self::Refusal>, BoxError>> + Send;

    /// Gives the balance.
    fn balance(&self, id: Uuid) -> impl Future<Output = Result<i64, BoxError>> + Send;

    /// Ends what runs; nothing of it is left in memory.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Where the database is: a Unix socket in a folder.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder of the socket.
    pub host: String,
    /// The user, who needs no password.
    pub user: String,
    /// The name of the database.
    pub database: String,
    /// All of it.
    pub url: String,
}

/// Deposits and withdraws, refuses what is not there, takes ten commands at once, and knows
/// everything again when the bank has been closed and opened.
pub async fn lives<B: Bank>() {
    let server = started().await;
    let place = place_of(&server);
    let id = Uuid::new_v4();

    let bank = B::open(&place).await.expect("the bank opens");
    assert_eq!(bank.balance(id).await.expect("a balance"), 0);
    assert_eq!(bank.deposit(id, 500).await.expect("a deposit"), 500);
    let refused = bank.withdraw(id, 900).await.expect("an answer");
    assert_eq!(format!("{refused:?}"), "Err(Overdrawn { balance: 500 })");
    let withdrawn = bank.withdraw(id, 200).await.expect("an answer");
    assert_eq!(withdrawn.expect("a withdrawal"), 300);

    let deposits = (0..10).map(|_| {
        let bank = bank.clone();
        tokio::spawn(async move { bank.deposit(id, 10).await })
    });
    for deposit in join_all(deposits).await {
        deposit.expect("no panic").expect("a deposit among others");
    }
    assert_eq!(bank.balance(id).await.expect("a balance"), 400);
    bank.close().await;

    let bank = B::open(&place).await.expect("the bank opens again");
    assert_eq!(bank.balance(id).await.expect("a balance"), 400);
    assert_eq!(bank.deposit(id, 1).await.expect("a deposit"), 401);
    bank.close().await;
}

/// What the caller of a deposit is told when the table of the events refuses the write; then the
/// table is as it was and the account goes on where it stood.
pub async fn fails_to_deposit<B: Bank>(table: &str) -> BoxError {
    let server = started().await;
    let bank = B::open(&place_of(&server)).await.expect("the bank opens");
    let id = Uuid::new_v4();
    assert_eq!(bank.deposit(id, 500).await.expect("a deposit"), 500);

    let database = connect(&server.settings()).await.expect("a connection");
    let refuse = format!("alter table {table} add constraint full_up check (false) not valid");
    database.batch_execute(&refuse).await.expect("a constraint");
    let error = bank.deposit(id, 10).await.expect_err("a failure");

    let accept = format!("alter table {table} drop constraint full_up");
    database
        .batch_execute(&accept)
        .await
        .expect("no constraint");
    assert_eq!(bank.deposit(id, 1).await.expect("a deposit"), 501);
    bank.close().await;
    error
}

/// What the caller of a deposit is told whose account has been changed by another process since it
/// was last used. Whatever it is, nothing that was acknowledged is lost, and the next deposit works.
pub async fn meets_another_writer<B: Bank>() -> Result<i64, BoxError> {
    let server = started().await;
    let place = place_of(&server);
    let id = Uuid::new_v4();
    let one = B::open(&place).await.expect("the bank opens");
    let other = B::open(&place).await.expect("the bank opens twice");
    assert_eq!(one.balance(id).await.expect("a balance"), 0);
    assert_eq!(other.balance(id).await.expect("a balance"), 0);

    assert_eq!(one.deposit(id, 1).await.expect("a deposit"), 1);
    let outcome = other.deposit(id, 10).await;
    let balance = if outcome.is_ok() { 11 } else { 1 };
    let next = other.deposit(id, 100).await.expect("a deposit");
    assert_eq!(next, balance + 100);

    one.close().await;
    other.close().await;
    let bank = B::open(&place).await.expect("the bank opens again");
    assert_eq!(bank.balance(id).await.expect("a balance"), balance + 100);
    bank.close().await;
    outcome
}

/// A PostgreSQL of this test's own.
pub async fn started() -> PrivateServer {
    let server = PrivateServer::builder().durable(false).start().await;
    server.expect("a private PostgreSQL")
}

/// Where the database of a server is.
pub fn place_of(server: &PrivateServer) -> Place {
    let host = server.socket_dir().display().to_string();
    let database = server.settings().database().to_owned();
    // The form that each of the drivers understands.
    let url = format!(
        "postgresql://postgres@{}/{database}",
        host.replace('/', "%2F")
    );
    Place {
        host,
        user: "postgres".to_owned(),
        database,
        url,
    }
}
