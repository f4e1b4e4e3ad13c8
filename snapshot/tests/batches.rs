//! Snapshots that wait together are saved together.

use std::pin::pin;

use annals_persistence::{Payload, SelectedSnapshot, SnapshotCriteria, SnapshotError};
use futures::future::join_all;

use crate::hold::Hold;
use crate::store::{Store, id, number, snapshot};

const STATEMENTS: &str = "\
select array[xact_commit, xact_rollback] from pg_stat_database \
where datname = current_database()";

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_that_nobody_waits_for_become_few_statements_and_are_all_there_after_draining() {
    let store = Store::open().await;
    let hold = Hold::on(&store).await;
    store.snapshots.save_aside(snapshot(&id("plug"), 1, "plug"));
    hold.holds().await;
    for number in 1..=10 {
        for entity in 0..100 {
            let entity = id(format!("entity-{entity}"));
            store
                .snapshots
                .save_aside(snapshot(&entity, number, format!("state {number}")));
        }
    }
    // Of the same event: the last one stays.
    for state in ["old", "older", "newest"] {
        store.snapshots.save_aside(snapshot(&id("same"), 7, state));
    }
    // Behind them all in the mailbox.
    store.newest(&id("nobody"), 1).await;
    let before: Vec<i64> = store.one(STATEMENTS).await;
    hold.release().await;
    let after: Vec<i64> = store.statistics(STATEMENTS).await;

    // A thousand and three of them in batches of 200; the rest is what the test itself asks.
    let statements = after[0] - before[0];
    assert!(statements < 60, "{statements}");
    assert_eq!(after[1], 0, "a statement failed");
    let found = "select count(*) from snapshot where persistence_id like 'entity-%' \
                 and snapshot = convert_to('state ' || sequence_number, 'UTF8') \
                 and created = 1700000000000 + sequence_number";
    assert_eq!(store.one::<i64>(found).await, 1000);
    let same = "select convert_from(snapshot, 'UTF8') from snapshot where persistence_id = 'same'";
    assert_eq!(store.one::<String>(same).await, "newest");
    assert_eq!(
        store.one::<i64>("select count(*) from snapshot").await,
        1002
    );
}

/// The user's own rule about rows.
const RULE: &str = "
create function forbid() returns trigger language plpgsql as $$
begin
    if new.persistence_id like 'guilty%' then
        raise exception 'snapshots of % are forbidden', new.persistence_id;
    end if;
    return new;
end
$$;
create trigger forbid before insert on snapshot for each row execute function forbid();";

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_the_server_refuses_fails_alone() {
    let store = Store::open().await;
    store.run(RULE).await;
    let hold = Hold::on(&store).await;
    let plug = store.snapshots.save(snapshot(&id("plug"), 1, "plug"));
    let mut plug = pin!(plug);
    assert!(futures::poll!(&mut plug).is_pending());
    hold.holds().await;

    let mut nul = snapshot(&id("nul"), 1, "x");
    nul.payload.manifest = "Sta\0te".into();
    let mut batch: Vec<_> = (0..60)
        .map(|n| snapshot(&id(format!("{n}")), 1, "x"))
        .collect();
    batch.insert(20, snapshot(&id("guilty"), 1, "x"));
    batch.insert(40, nul);
    let guilty = [20, 40];
    let mut answers = pin!(join_all(
        batch.into_iter().map(|it| store.snapshots.save(it))
    ));
    assert!(futures::poll!(&mut answers).is_pending());
    hold.release().await;

    plug.await.unwrap();
    for (place, answer) in answers.await.into_iter().enumerate() {
        match answer {
            Ok(()) => assert!(!guilty.contains(&place), "{place}"),
            Err(SnapshotError::Unavailable { persistence_id, .. }) => {
                let id = persistence_id.as_str();
                assert_eq!(id, if place == 20 { "guilty" } else { "nul" });
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(store.one::<i64>("select count(*) from snapshot").await, 61);
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_and_saves_take_effect_in_the_order_in_which_they_were_asked_for() {
    let store = Store::open().await;
    let entity = id("entity");
    let hold = Hold::on(&store).await;
    store.snapshots.save_aside(snapshot(&id("plug"), 1, "plug"));
    hold.holds().await;
    store.snapshots.save_aside(snapshot(&entity, 1, "gone"));
    store.snapshots.save_aside(snapshot(&entity, 2, "gone too"));
    let delete = store.snapshots.delete(&entity, SnapshotCriteria::latest());
    let mut delete = pin!(delete);
    assert!(futures::poll!(&mut delete).is_pending());
    store.snapshots.save_aside(snapshot(&entity, 1, "stays"));
    hold.release().await;
    delete.await.unwrap();
    store.snapshots.drain().await;
    let left = "select string_agg(convert_from(snapshot, 'UTF8'), ',') from snapshot \
                where persistence_id = 'entity'";
    assert_eq!(store.one::<String>(left).await, "stays");
}

/// Two states of 5 MiB make a batch each, and one that holds up the rest loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn large_states_go_in_small_batches() {
    let store = Store::open().await;
    let large: Vec<u8> = (0..5 << 20).map(|byte: u32| (byte % 251) as u8).collect();
    let mut saves = Vec::new();
    for place in 1..=6 {
        let mut save = snapshot(&id(format!("{place}")), place, "");
        save.payload = Payload::raw(large.clone());
        saves.push(store.snapshots.save(save));
    }
    for saved in join_all(saves).await {
        saved.unwrap();
    }
    for place in 1..=6 {
        let SelectedSnapshot {
            sequence_number,
            payload,
            ..
        } = store.newest(&id(format!("{place}")), place).await.unwrap();
        assert_eq!(sequence_number, number(place));
        assert!(payload == Payload::raw(large.clone()), "{place}");
    }
}
