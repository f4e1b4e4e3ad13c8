//! One writer a persistence id where no index says so: each case by which a write comes to the gate.

use annals_persistence::WriteError;

use crate::hold::Hold;
use crate::store::{ONE_LANE, accepted};
use crate::world::{INCOMPLETE, TRIGGER_OF_THE_JVM, World};
use crate::writes::{conflict, id, send, write};

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_stored_where_the_highest_number_is_the_one_before_and_nowhere_else() {
    for world in World::all().await {
        let (name, journal, entity) = (world.name, &world.journal, id("entity"));
        let hole = journal.write(write(&entity, 2, ["x"])).await;
        assert_eq!(conflict(hole), (2, 0), "{name}: a hole before the first");
        journal
            .write(write(&entity, 1, ["a", "b", "c"]))
            .await
            .unwrap();
        for (first, events) in [(1, 1), (1, 4), (3, 1), (3, 2)] {
            let stale = journal
                .write(write(&entity, first, vec!["x"; events]))
                .await;
            assert_eq!(conflict(stale), (first, 3), "{name}: {first} again");
        }
        for hole in [5, 100] {
            let hole_after = journal.write(write(&entity, hole, ["x", "y"])).await;
            assert_eq!(conflict(hole_after), (hole, 3), "{name}: a hole");
        }
        journal.write(write(&entity, 4, ["d"])).await.unwrap();
        assert_eq!(world.numbers("entity").await, [1, 2, 3, 4], "{name}");
        world.check_metadata().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_number_twice_in_one_batch_is_stored_once() {
    for world in World::all().await {
        let (name, journal, entity) = (world.name, &world.journal, id("entity"));
        let hold = Hold::on(&world.store).await;
        let plug = send(journal, write(&id("plug"), 1, ["x"])).await;
        hold.holds(1).await;
        let first = send(journal, write(&entity, 1, ["a"])).await;
        let again = send(journal, write(&entity, 1, ["b"])).await;
        // As many numbers as lie between the first and the last of the batch.
        let behind = send(journal, write(&entity, 3, ["c"])).await;
        let other = send(journal, write(&id("other"), 1, ["d"])).await;
        accepted(journal).await;
        hold.release().await;
        plug.stored().await;
        first.stored().await;
        assert_eq!(conflict(again.result().await), (1, 1), "{name}");
        let behind = behind.result().await;
        assert!(
            matches!(
                behind,
                Err(WriteError::EarlierFailed { .. } | WriteError::Conflict { .. })
            ),
            "{name}: {behind:?}"
        );
        other.stored().await;
        let stored = world.store.texts(&entity).await;
        assert_eq!(stored, [(1, "a".to_owned())], "{name}");
        world.check_metadata().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_in_any_place_of_a_batch_fails_alone() {
    const WRITES: usize = 9;
    for world in World::all().await {
        let (name, journal, stale) = (world.name, &world.journal, id("stale"));
        for place in 0..WRITES {
            world.begin_anew().await;
            journal.write(write(&stale, 1, ["a", "b"])).await.unwrap();
            let hold = Hold::on(&world.store).await;
            let plug = send(journal, write(&id("plug"), 1, ["x"])).await;
            hold.holds(1).await;
            let mut answers = Vec::new();
            for at in 0..WRITES {
                let write = match at == place {
                    true => write(&stale, 2, ["x"]),
                    false => write(&id(format!("innocent-{at}")), 1, ["a", "b"]),
                };
                answers.push(send(journal, write).await);
            }
            accepted(journal).await;
            hold.release().await;
            plug.stored().await;
            for (at, answer) in answers.into_iter().enumerate() {
                if at == place {
                    assert_eq!(conflict(answer.result().await), (2, 2), "{name}: {place}");
                } else {
                    answer.stored().await;
                }
            }
            let stored: i64 = world.store.one("select count(*) from journal").await;
            assert_eq!(stored, 2 + 1 + 2 * (WRITES as i64 - 1), "{name}: {place}");
            world.check_metadata().await;
        }
    }
}

/// Where the metadata is complete, nobody looks for events without: they are found once a write fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_lost_from_complete_metadata_comes_back_with_the_next_write() {
    let world = World::by_ordering("complete metadata", "").await;
    let (journal, entity) = (&world.journal, id("entity"));
    let known = write(&entity, 1, ["a", "b"]);
    journal.write(known).await.unwrap();
    world.store.run("delete from journal_metadata").await;
    journal.write(write(&entity, 3, ["c"])).await.unwrap();
    assert_eq!(world.numbers("entity").await, [1, 2, 3]);
    world.check_metadata().await;
}

/// As after a restore without triggers.
#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_fell_behind_is_brought_up_to_the_events() {
    for world in World::all().await {
        let (name, journal, entity) = (world.name, &world.journal, id("entity"));
        journal
            .write(write(&entity, 1, ["a", "b", "c"]))
            .await
            .unwrap();
        world
            .store
            .run(
                "alter table journal disable trigger user; \
                 select setval('journal_ordering_seq', 20); \
                 insert into journal (ordering, persistence_id, sequence_number, message, tags, metadata) \
                 select nextval('journal_ordering_seq'), 'entity', n, '', '{}', '{\"sid\": 4, \"wid\": \"w\", \"t\": 1}' \
                 from generate_series(4, 5) as n; \
                 alter table journal enable trigger user",
            )
            .await;
        let behind = journal.write(write(&entity, 5, ["x"])).await;
        assert_eq!(conflict(behind), (5, 5), "{name}");
        journal.write(write(&entity, 6, ["f", "g"])).await.unwrap();
        let expected: Vec<i64> = (1..=7).collect();
        assert_eq!(world.numbers("entity").await, expected, "{name}");
        world.check_metadata().await;
    }
}

/// Partitions with all events of a persistence id may be gone: their numbers are not given again.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_whose_events_are_gone_are_not_given_again() {
    for world in World::all().await {
        let (name, journal, entity) = (world.name, &world.journal, id("entity"));
        journal
            .write(write(&entity, 1, ["a", "b", "c"]))
            .await
            .unwrap();
        world.store.run("delete from journal").await;
        for first in [1, 3, 5] {
            let refused = journal.write(write(&entity, first, ["x"])).await;
            assert_eq!(conflict(refused), (first, 3), "{name}: {first}");
        }
        journal.write(write(&entity, 4, ["d"])).await.unwrap();
        assert_eq!(world.numbers("entity").await, [4], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_without_a_row_in_the_metadata_are_seen() {
    for sql in [INCOMPLETE, &format!("{INCOMPLETE};{TRIGGER_OF_THE_JVM}")] {
        let world = World::by_ordering("events without metadata", sql).await;
        let (journal, entity) = (&world.journal, id("entity"));
        for first in [1, 3] {
            let known = write(&entity, first, ["a", "b"]);
            journal.write(known).await.unwrap();
            world.store.run("delete from journal_metadata").await;
        }
        for first in [1, 4, 6, 100] {
            let refused = journal.write(write(&entity, first, ["x"])).await;
            assert_eq!(conflict(refused), (first, 4), "{first}, {sql}");
            world.store.run("delete from journal_metadata").await;
        }
        journal.write(write(&entity, 5, ["e"])).await.unwrap();
        journal.write(write(&entity, 6, ["f"])).await.unwrap();
        assert_eq!(world.numbers("entity").await, [1, 2, 3, 4, 5, 6]);
        world.check_metadata().await;
        let from = world
            .store
            .one::<i64>("select min_ordering from journal_metadata");
        assert_eq!(from.await, -1, "its beginning was not seen, {sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_write_the_first_event_of_a_new_id_at_once_one_wins() {
    const ROUNDS: usize = 30;
    for world in World::all().await {
        let another = || world.store.another(ONE_LANE);
        let journals = [another().await, another().await];
        for _ in 0..ROUNDS {
            world.begin_anew().await;
            let entity = id("new");
            let [a, b] = [0, 1].map(|it| journals[it].write(write(&entity, 1, ["x", "y"])));
            let (a, b) = tokio::join!(a, b);
            let lost = match (a, b) {
                (Ok(()), lost) | (lost, Ok(())) => lost,
                both => panic!("{}: {both:?}", world.name),
            };
            assert_eq!(conflict(lost), (1, 2), "{}", world.name);
            assert_eq!(world.numbers("new").await, [1, 2], "{}", world.name);
        }
        world.check_metadata().await;
    }
}

const FOREIGN: &str = "\
insert into journal (ordering, persistence_id, sequence_number, message, tags, metadata) values \
(nextval('journal_ordering_seq'), $1, $2, '', '{}', '{\"sid\": 4, \"wid\": \"w\", \"t\": 1}')";

/// A JVM, or somebody at a prompt.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_writer_keeps_the_metadata_and_cannot_take_a_number_twice() {
    let world = World::by_ordering("a foreign writer", "").await;
    let (journal, entity) = (&world.journal, id("entity"));
    let foreign = world.store.connect().await;
    let insert = async |number: i64| foreign.execute(FOREIGN, &[&"entity", &number]).await;
    let room = "select setval('journal_ordering_seq', 20)";
    world.store.run(room).await;
    insert(1).await.unwrap();
    insert(2).await.unwrap();
    world.check_metadata().await;
    let behind = journal.write(write(&entity, 2, ["x"])).await;
    assert_eq!(conflict(behind), (2, 2));
    journal.write(write(&entity, 3, ["c"])).await.unwrap();
    for number in [1, 3] {
        let refused = insert(number).await.unwrap_err();
        let refused = refused.as_db_error().unwrap();
        assert_eq!(refused.code().code(), "23505");
        assert_eq!(refused.constraint(), Some("journal_metadata_one_writer"));
    }
    insert(4).await.unwrap();
    assert_eq!(world.numbers("entity").await, [1, 2, 3, 4]);
    world.check_metadata().await;
}

/// A session that replicates or restores brings events with their metadata, or without.
#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_is_there_never_lies_behind_events_that_are_replicated() {
    let world = World::by_ordering("a subscription", "").await;
    let (journal, entity) = (&world.journal, id("entity"));
    journal.write(write(&entity, 1, ["a"])).await.unwrap();
    let subscription = world.store.connect().await;
    subscription
        .batch_execute(
            "set session_replication_role = replica; select setval('journal_ordering_seq', 20)",
        )
        .await
        .unwrap();
    for number in [3_i64, 2] {
        subscription
            .execute(FOREIGN, &[&"entity", &number])
            .await
            .unwrap();
    }
    world.check_metadata().await;
    subscription
        .execute(FOREIGN, &[&"new", &1_i64])
        .await
        .unwrap();
    let rows = "select count(*) from journal_metadata where persistence_id = 'new'";
    assert_eq!(
        world.store.one::<i64>(rows).await,
        0,
        "it will be replicated"
    );
    let behind = journal.write(write(&entity, 2, ["x"])).await;
    assert_eq!(conflict(behind), (2, 3));
    journal.write(write(&entity, 4, ["d"])).await.unwrap();
    assert_eq!(world.numbers("entity").await, [1, 2, 3, 4]);
}
