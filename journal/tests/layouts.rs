//! One writer a persistence id, in every layout.

use annals_journal::JournalSettings;
use annals_persistence::WriteError;
use annals_postgres::Layout;

use crate::store::{Store, partitions_of};
use crate::world::TRIGGER_OF_THE_JVM;
use crate::writes::{id, send, write};

const ROUNDS: usize = 200;

/// Numbers that each of the two wants in a round.
const AHEAD: i64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn flat_of_two_writers_of_a_number_one_wins() {
    fight(Store::in_layout(Layout::Flat, 1, JournalSettings::default()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flat_with_metadata_of_two_writers_of_a_number_one_wins() {
    let flat = partitions_of(Layout::Flat, 1).keep_metadata();
    fight(Store::made_as(&flat, JournalSettings::default()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_ordering_of_two_writers_of_a_number_one_wins() {
    fight(Store::in_layout(Layout::Ordering, 20, JournalSettings::default()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_the_trigger_of_the_jvm_of_two_writers_of_a_number_one_wins() {
    let store = Store::in_layout(Layout::Ordering, 20, JournalSettings::default()).await;
    store.run(TRIGGER_OF_THE_JVM).await;
    fight(store).await;
}

/// Two processes take each other for dead. In each round both send several writes for the same numbers, and
/// neither waits.
async fn fight(store: Store) {
    let settings = JournalSettings::default();
    let journals = [store.another(settings).await, store.another(settings).await];
    let entity = id("contested");
    let (mut told, mut wins, mut first) = (Vec::new(), [0, 0], 1);
    for round in 0..ROUNDS {
        let mut answers = Vec::new();
        for who in [round % 2, (round + 1) % 2] {
            for number in (first..first + AHEAD).step_by(who + 1) {
                let text = |number| format!("{who} {round} {number}");
                let texts: Vec<String> = (number..=number + who as i64).map(text).collect();
                let answer = send(&journals[who], write(&entity, number, &texts)).await;
                answers.push((who, number, texts, answer));
            }
        }
        for (who, number, texts, answer) in answers {
            match answer.result().await {
                Ok(()) => {
                    wins[who] += texts.len();
                    told.extend((number..).zip(texts));
                }
                Err(WriteError::Conflict { .. } | WriteError::EarlierFailed { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        first = told.iter().map(|it| it.0).max().unwrap_or(0) + 1;
    }
    told.sort();
    let stored = store.texts(&entity).await;
    assert_eq!(stored, told, "what is stored and what they were told");
    let all = (1..).take(stored.len());
    assert!(
        all.eq(stored.into_iter().map(|it| it.0)),
        "each number once"
    );
    assert!(wins.iter().all(|it| *it > 0), "no fight: {wins:?}");
}
