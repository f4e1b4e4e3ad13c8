//! One guilty write in a full batch.

use annals_persistence::{Metadata, Payload, WriteError, WriteEvents};

use crate::hold::Hold;
use crate::store::{Store, accepted};
use crate::writes::{conflict, earlier_failed, events_at, id, rejection, send, text, write};

const INNOCENT: usize = 199;

/// Sends a batch of three events of each of 199 innocent ids, with the guilty writes in between;
/// gives what became of the guilty ones, and expects that all others are stored in their order.
async fn batch(store: &Store, guilty: Vec<WriteEvents>) -> Vec<Result<(), WriteError>> {
    let journal = &store.journal;
    let hold = Hold::on(store).await;
    let plug = send(journal, write(&id("plug"), 1, ["plug"])).await;
    hold.holds(1).await;
    let mut innocent = Vec::new();
    let every = INNOCENT / (guilty.len() + 1);
    let (mut guilty, mut answers) = (guilty.into_iter(), Vec::new());
    for place in 0..INNOCENT {
        let id = id(format!("innocent-{place:03}"));
        innocent.push(send(journal, write(&id, 1, ["a"])).await);
        if place % every == every / 2
            && let Some(guilty) = guilty.next()
        {
            answers.push(send(journal, guilty).await);
        }
    }
    for write in guilty {
        answers.push(send(journal, write).await);
    }
    accepted(journal).await;
    hold.release().await;

    plug.stored().await;
    for answer in innocent {
        answer.stored().await;
    }
    let mut results = Vec::new();
    for answer in answers {
        results.push(answer.result().await);
    }
    let stored: i64 = store
        .one("select count(*) from journal where persistence_id like 'innocent-%'")
        .await;
    assert_eq!(stored, INNOCENT as i64);
    results
}

/// The user's own rule about rows.
const RULE: &str = "
create function forbid() returns trigger language plpgsql as $$
begin
    if new.persistence_id = 'guilty' then
        raise exception 'rows of % are forbidden', new.persistence_id;
    end if;
    return new;
end
$$;
create trigger forbid before insert on journal for each row execute function forbid();";

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_a_trigger_forbids_fails_alone_and_is_found_by_halving() {
    let store = Store::with_one_lane().await;
    store.run(RULE).await;
    let mut results = batch(&store, vec![write(&id("guilty"), 1, ["a", "b"])]).await;
    let said = rejection(results.remove(0));
    assert!(said.contains("rows of guilty are forbidden"), "{said}");
    assert!(store.texts(&id("guilty")).await.is_empty());

    // 200 writes are halved seven or eight times until one is left; one more statement fails.
    let failed: i64 = store
        .statistics("select xact_rollback from pg_stat_database where datname = current_database()")
        .await;
    assert!((8..=9).contains(&failed), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_guilt_in_one_batch_gets_an_answer_of_its_own() {
    let store = Store::with_one_lane().await;
    store.run(RULE).await;
    let taken = id("taken");
    store
        .journal
        .write(write(&taken, 1, ["a"; 7]))
        .await
        .unwrap();

    let mut nul_in_manifest = Payload::raw("x");
    nul_in_manifest.manifest = "Depo\0sited".into();
    let mut nul_in_metadata = text("x");
    nul_in_metadata.metadata = Metadata::new().with("user", "ma\0ry");
    let mut results = batch(
        &store,
        vec![
            write(&id("guilty"), 1, ["a"]),
            events_at(
                &id("manifest"),
                1,
                vec![text("fine"), nul_in_manifest.into()],
            ),
            write(&taken, 4, ["b"]),
            events_at(&id("metadata"), 1, vec![nul_in_metadata]),
        ],
    )
    .await
    .into_iter();

    let said = rejection(results.next().unwrap());
    assert!(said.contains("are forbidden"), "{said}");
    let said = rejection(results.next().unwrap());
    assert!(said.contains("\\u0000 cannot be converted"), "{said}");
    assert_eq!(conflict(results.next().unwrap()), (4, 7));
    let said = rejection(results.next().unwrap());
    assert!(said.contains("\\u0000 cannot be converted"), "{said}");
    for id in ["guilty", "manifest", "metadata"].map(id) {
        assert!(store.texts(&id).await.is_empty(), "{id}");
    }
    assert_eq!(store.texts(&taken).await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writes_of_the_guilty_id_before_it_are_stored_and_those_behind_it_are_not() {
    let store = Store::with_one_lane().await;
    let entity = id("entity");
    let mut nul = text("3");
    nul.metadata = Metadata::new().with("user", "\0");
    let writes = vec![
        write(&entity, 1, ["1"]),
        write(&entity, 2, ["2"]),
        events_at(&entity, 3, vec![nul]),
        write(&entity, 4, ["4"]),
        write(&entity, 5, ["5", "6"]),
    ];
    let mut results = batch(&store, writes).await.into_iter();
    results.next().unwrap().unwrap();
    results.next().unwrap().unwrap();
    rejection(results.next().unwrap());
    assert_eq!(earlier_failed(results.next().unwrap()), 4);
    assert_eq!(earlier_failed(results.next().unwrap()), 5);
    let stored = [(1, "1".to_owned()), (2, "2".to_owned())];
    assert_eq!(store.texts(&entity).await, stored);

    // The author of a rejected write knows its history: it goes on with the same number.
    store.journal.write(write(&entity, 3, ["3"])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_keeps_the_order_of_each_id() {
    let store = Store::with_one_lane().await;
    store.run(RULE).await;
    let journal = &store.journal;
    let hold = Hold::on(&store).await;
    let mut answers = vec![send(journal, write(&id("plug"), 1, ["plug"])).await];
    hold.holds(1).await;
    for number in 1..=40 {
        for entity in 0..8 {
            let write = write(
                &id(format!("entity-{entity}")),
                number,
                [number.to_string()],
            );
            answers.push(send(journal, write).await);
        }
        if number == 20 {
            let guilty = send(journal, write(&id("guilty"), 1, ["x"])).await;
            answers.push(guilty);
        }
    }
    accepted(journal).await;
    hold.release().await;
    let mut rejected = 0;
    for answer in answers {
        rejected += i32::from(answer.result().await.is_err());
    }
    assert_eq!(rejected, 1);
    let disorder: i64 = store
        .one(
            "select count(*) from (select sequence_number, row_number() over \
             (partition by persistence_id order by ordering) as place from journal) as it \
             where sequence_number <> place",
        )
        .await;
    assert_eq!(disorder, 0);
    let rows: i64 = store.one("select count(*) from journal").await;
    assert_eq!(rows, 1 + 8 * 40);
}
