use annals::{Offset, Options, PersistenceId, SequenceNumber};
use annals_postgres::TestDatabase;
use futures::{StreamExt, TryStreamExt};

use crate::account::{Account, Event, deposit};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_read_by_tag_by_id_and_live() {
    let database = TestDatabase::create().await.unwrap();
    let annals = Options::new(database.settings()).open().await.unwrap();
    let mut live = annals.query().events_by_tag("deposits", Offset::start());
    for id in ["a", "b"] {
        let account = annals.entity::<Account>(id).await.unwrap();
        account.ask(deposit(7)).await.unwrap();
        account.ask(deposit(8)).await.unwrap();
    }

    let current = annals
        .query()
        .current_events_by_tag("deposits", Offset::start());
    let current: Vec<_> = current.try_collect().await.unwrap();
    assert_eq!(current.len(), 4);
    let seen: Vec<_> = live.by_ref().take(4).try_collect().await.unwrap();
    assert_eq!(seen, current, "live and replayed are the same");
    let first = current[0].event::<Account>().unwrap();
    assert!(matches!(first, Event::Deposited { cents: 7, .. }));

    let resumed = annals
        .query()
        .current_events_by_tag("deposits", current[2].offset);
    let resumed: Vec<_> = resumed.try_collect().await.unwrap();
    assert_eq!(resumed, current[3..]);

    let id = PersistenceId::of("Account", "b").unwrap();
    let of_b = annals.query().current_events_by_persistence_id(
        &id,
        SequenceNumber::FIRST,
        SequenceNumber::MAX,
    );
    let numbers: Vec<i64> = of_b
        .map_ok(|envelope| envelope.sequence_number.get())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(numbers, [1, 2]);

    let ids: Vec<String> = annals
        .query()
        .current_persistence_ids()
        .map_ok(|id| id.to_string())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(ids, ["Account|a", "Account|b"]);
    annals.shutdown().await;
}
