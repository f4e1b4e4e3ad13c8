//! Writes that are sent without waiting for one another.

use annals_persistence::PersistenceId;

use crate::hold::Hold;
use crate::store::Store;
use crate::writes::{conflict, earlier_failed, id, send, write};

const DISORDER: &str = "\
select count(*) from (select sequence_number, convert_from(message, 'UTF8')::int8 as text, \
  row_number() over (partition by persistence_id order by ordering) as place from journal) as it \
where sequence_number <> place or text <> place";

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_writes_of_each_of_twenty_ids_are_stored_in_their_order() {
    let store = Store::open().await;
    let mut answers = Vec::new();
    for number in 1..=100 {
        for entity in 0..20 {
            let write = write(&id(format!("{entity}")), number, [number.to_string()]);
            answers.push(send(&store.journal, write).await);
        }
    }
    for answer in answers {
        answer.stored().await;
    }
    assert_eq!(store.one::<i64>("select count(*) from journal").await, 2000);
    assert_eq!(store.one::<i64>(DISORDER).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_lets_nothing_behind_it_through_and_no_other_id_notices() {
    let store = Store::open().await;
    let entity = id("entity");
    let blocker = store.journal.write(write(&entity, 51, ["taken"])).await;
    blocker.unwrap();
    // A write that comes after the failure was answered is no longer one behind it.
    let hold = Hold::on(&store).await;
    let (mut answers, mut others) = (Vec::new(), Vec::new());
    for number in 1..=100 {
        let write_of = |id: &PersistenceId| write(id, number, [number.to_string()]);
        answers.push(send(&store.journal, write_of(&entity)).await);
        for other in 0..5 {
            let other = id(format!("other-{other}"));
            others.push(send(&store.journal, write_of(&other)).await);
        }
    }
    hold.release().await;
    for other in others {
        other.stored().await;
    }
    for (number, answer) in (1..).zip(answers) {
        match number {
            ..=50 => answer.stored().await,
            51 => assert_eq!(conflict(answer.result().await), (51, 51)),
            _ => assert_eq!(earlier_failed(answer.result().await), number),
        }
    }
    let mut expected: Vec<_> = (1..=50)
        .map(|number| (number, number.to_string()))
        .collect();
    expected.push((51, "taken".to_owned()));
    assert_eq!(store.texts(&entity).await, expected);
}

/// The line is closed for what waited behind the failure, not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_incarnation_goes_on_behind_a_failed_write() {
    let store = Store::open().await;
    let entity = id("entity");
    store
        .journal
        .write(write(&entity, 1, ["1", "2"]))
        .await
        .unwrap();
    let late = store.journal.write(write(&entity, 2, ["late"])).await;
    assert_eq!(conflict(late), (2, 2));
    store.journal.write(write(&entity, 3, ["3"])).await.unwrap();
    assert_eq!(store.texts(&entity).await.len(), 3);
}
