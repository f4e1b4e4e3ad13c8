//! Two processes that take each other for dead.

use annals_journal::JournalSettings;
use annals_persistence::{JournalRef, PersistenceId, WriteEvents, WriterId};
use futures::future::join;

use crate::hold::Hold;
use crate::ledger::{Ledger, highest};
use crate::store::{ONE_LANE, Store, accepted, until};
use crate::writes::{Answer, conflict, id, number, send, text, write};

/// In each round both journals send a batch at the same moment, in whose middle both write the same
/// sequence number.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_of_a_number_one_wins_and_the_neighbours_of_both_are_stored() {
    let store = Store::with_one_lane().await;
    let journals = [store.journal.clone(), store.another(ONE_LANE).await];
    let contested = id("contested");
    let mut first = 1;
    let mut wins = [0, 0];
    for round in 0..40 {
        let hold = Hold::on(&store).await;
        let (mut contenders, mut neighbours) = (Vec::new(), Vec::new());
        for (process, journal) in journals.iter().enumerate() {
            let neighbour = |place: usize| id(format!("{process}-{round}-{place}"));
            neighbours.push(send(journal, write(&neighbour(0), 1, ["plug"])).await);
            for place in 1..=20 {
                neighbours.push(send(journal, write(&neighbour(place), 1, ["a", "b"])).await);
                if place == 10 {
                    let events = vec![format!("{process}"); process + 1];
                    contenders.push(send(journal, write(&contested, first, events)).await);
                }
            }
            accepted(journal).await;
        }
        hold.holds(2).await;
        hold.release().await;

        for neighbour in neighbours {
            neighbour.stored().await;
        }
        let winner = winner(contenders, first).await;
        wins[winner] += 1;
        let size = winner as i64 + 1;
        let expected = (first..first + size).map(|number| (number, winner.to_string()));
        let stored = store.texts(&contested).await;
        assert!(stored.into_iter().skip(first as usize - 1).eq(expected));
        first += size;
    }
    let rows: i64 = store.one("select count(*) from journal").await;
    assert_eq!(rows, 40 * 2 * 41 + first - 1, "wins: {wins:?}");
}

/// Gives the one of the two that was stored, and expects that the other one names both numbers.
async fn winner(contenders: Vec<Answer>, first: i64) -> usize {
    let mut results = Vec::new();
    for contender in contenders {
        results.push(contender.result().await);
    }
    let winner = usize::from(results[1].is_ok());
    let loser = results.swap_remove(1 - winner);
    results.pop().unwrap().unwrap();
    assert_eq!(conflict(loser), (first, first + winner as i64));
    winner
}

/// Neither waits for its answers before it goes on; each recovers when it has them all, and is another
/// writer then.
#[tokio::test(flavor = "multi_thread")]
async fn two_writers_that_pipeline_make_one_history_without_a_hole_or_a_lie() {
    let store = Store::open().await;
    let other = store.another(JournalSettings::default()).await;
    let contested = id("contested");
    let (mut ledger, theirs) = join(
        pipeline(&store.journal, &contested, 1),
        pipeline(&other, &contested, 2),
    )
    .await;
    ledger.merge(theirs);
    let told = ledger.check(&store).await;
    assert!(told.stored > 0 && told.not_stored > 0, "{told:?}");
    assert_eq!(told.unknown, 0);
}

async fn pipeline(journal: &JournalRef, contested: &PersistenceId, author: u64) -> Ledger {
    let mut ledger = Ledger::default();
    let mut dice = fastrand::Rng::with_seed(author);
    for round in 0..300 {
        let writer = WriterId::random();
        let mut first = highest(journal, contested).await + 1;
        let (mut sent, mut answers) = (Vec::new(), Vec::new());
        for place in 0..dice.u64(1..=5) {
            let events = 0..dice.u64(1..=3);
            let texts: Vec<String> = events
                .map(|event| format!("{author} {round} {place} {event}"))
                .collect();
            let events = texts.iter().map(text).collect();
            let write = WriteEvents::new(contested.clone(), number(first), writer, events);
            answers.push(send(journal, write).await);
            let next = first + texts.len() as i64;
            sent.push((first, texts));
            first = next;
        }
        for ((first, texts), answer) in sent.into_iter().zip(answers) {
            ledger.note(contested, first, texts, answer.result().await);
        }
    }
    ledger
}

/// Another transaction holds what the write waits for and waits for what the write holds: the server
/// ends one of them, mostly the one that has waited longer, and it is the fault of no row.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_the_server_ends_to_undo_a_deadlock_is_stored_all_the_same() {
    let store = Store::open().await;
    let (entity, other) = (id("entity"), store.connect().await);
    let observer = store.connect().await;
    let insert = |number: i64| {
        format!(
            "insert into journal (persistence_id, sequence_number, message, metadata) \
             values ('entity', {number}, '', '{{}}')"
        )
    };
    for first in (1..20).step_by(2) {
        let begin = format!("begin; {}", insert(first + 1));
        other.batch_execute(&begin).await.unwrap();
        let answer = send(&store.journal, write(&entity, first, ["a", "b"])).await;
        until(
            &observer,
            "select count(*) = 1 from pg_stat_activity \
             where datname = current_database() and wait_event = 'transactionid'",
        )
        .await;
        let survived = other.batch_execute(&insert(first)).await.is_ok();
        other.batch_execute("rollback").await.unwrap();
        answer.stored().await;
        assert_eq!(store.texts(&entity).await.len() as i64, first + 1);
        if survived {
            return;
        }
    }
    panic!("the write was never the one to be ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_begins_free_and_ends_taken_stores_nothing_and_names_the_highest_number() {
    let store = Store::open().await;
    let entity = id("entity");
    let journal = &store.journal;
    journal.write(write(&entity, 1, ["a"])).await.unwrap();
    // Sequence numbers 2 to 4 are free, as after a failover to a server that lost them.
    store
        .journal
        .write(write(&entity, 5, ["e", "f"]))
        .await
        .unwrap();
    let lost = journal.write(write(&entity, 3, ["x", "y", "z"])).await;
    assert_eq!(conflict(lost), (3, 6));
    let numbers: Vec<i64> = store
        .texts(&entity)
        .await
        .into_iter()
        .map(|it| it.0)
        .collect();
    assert_eq!(numbers, [1, 5, 6]);
}
