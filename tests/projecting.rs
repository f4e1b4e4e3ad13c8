use std::time::Duration;

use annals::projection::Status;
use annals::tokio_postgres::Transaction;
use annals::{
    Annals, EntitySettings, EventEnvelope, Handled, Options, Projection, ReaderPositions, Tag,
    TransactionHandler,
};
use annals_postgres::{TestDatabase, connect};

use crate::account::{Account, Event, deposit};

/// The sum of all deposits.
struct Deposits;

impl TransactionHandler for Deposits {
    async fn handle(&self, event: &EventEnvelope, transaction: &Transaction<'_>) -> Handled {
        for event in event.events::<Account>()? {
            if let Event::Deposited { cents, .. } = event {
                let add = "update deposits set cents = cents + $1";
                transaction.execute(add, &[&cents]).await?;
            }
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_entities_do_is_in_the_table() {
    let database = TestDatabase::create().await.unwrap();
    let sql = connect(&database.settings()).await.unwrap();
    sql.batch_execute("create table deposits as select 0::bigint as cents")
        .await
        .unwrap();
    let readers = ReaderPositions::new();
    let entities = EntitySettings {
        readers: Some(readers.clone()),
        ..EntitySettings::default()
    };
    let annals = Options::new(database.settings())
        .entities(entities)
        .open()
        .await
        .unwrap();
    let projection = Projection::exactly_once("deposits", Tag::new("deposits").unwrap(), Deposits);
    let running = annals
        .projections()
        .start(projection.in_groups_of(10))
        .await
        .unwrap();
    assert!(readers.oldest().is_some(), "declared");
    for id in ["a", "b", "c"] {
        let account = annals.entity::<Account>(id).await.unwrap();
        for cents in 1..=20 {
            account.ask(deposit(cents)).await.unwrap();
        }
    }
    let status = until_caught_up(&annals).await;
    assert_eq!(status.ranges[0].handled, 60);
    running.stop().await.unwrap();
    let cents = sql
        .query_one("select cents from deposits", &[])
        .await
        .unwrap();
    assert_eq!(cents.get::<_, i64>(0), 630);
    annals.shutdown().await;
}

async fn until_caught_up(annals: &Annals) -> Status {
    let control = annals.projections().control("deposits", 1);
    let waiting = async {
        loop {
            let status = control.status().await.unwrap();
            if status.has_caught_up() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let status = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    status.expect("not within a minute")
}
