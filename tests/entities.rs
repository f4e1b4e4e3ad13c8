use annals::ractor::call;
use annals::{
    Annals, AskError, CommandError, EntityError, Options, RecoveryError, Rejection, ReplayError,
    WriteError,
};
use annals_postgres::TestDatabase;

use crate::account::{Account, Command, Overdrawn, deposit};

async fn opened(database: &TestDatabase) -> Annals {
    Options::new(database.settings()).open().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_answered_when_its_events_are_durable_and_the_next_process_knows_them() {
    let database = TestDatabase::create().await.unwrap();
    let annals = opened(&database).await;
    let account = annals.entity::<Account>("42").await.unwrap();
    assert_eq!(account.ask(deposit(500)).await.unwrap(), 500);
    let call = call!(account, Command::Deposit, 1, "x".to_owned());
    assert_eq!(call.unwrap().unwrap(), 501);
    annals.shutdown().await;

    let annals = opened(&database).await;
    let account = annals.entity::<Account>("42").await.unwrap();
    assert_eq!(account.ask(Command::Balance).await.unwrap(), 501);
    assert_eq!(account.recovered().events, 2);
    annals.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_the_entity_refuses_stores_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let annals = opened(&database).await;
    let account = annals.entity::<Account>("42").await.unwrap();
    account.ask(deposit(500)).await.unwrap();
    let refused = account.ask(|reply| Command::Withdraw(900, reply)).await;
    let overdrawn = Overdrawn {
        balance: 500,
        wanted: 900,
    };
    assert_eq!(refused.unwrap(), Err(overdrawn));
    assert_eq!(events_of(&database).await, 1);
    annals.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_stored_is_rejected_and_the_entity_goes_on() {
    let database = TestDatabase::create().await.unwrap();
    let annals = opened(&database).await;
    let account = annals.entity::<Account>("42").await.unwrap();
    let no_tag = account.ask(|reply| Command::Deposit(1, String::new(), reply));
    let error = no_tag.await.unwrap_err();
    let AskError::Command(CommandError::Rejected(WriteError::Rejected { reason, .. })) = &error
    else {
        panic!("{error:?}");
    };
    assert!(matches!(reason, Rejection::Tag(_)), "{reason}");
    assert_eq!(account.ask(deposit(5)).await.unwrap(), 5);
    assert_eq!(events_of(&database).await, 1);
    annals.shutdown().await;
}

/// Two processes run the same entity, which must not be; the store holds the line.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_writer_of_a_sequence_number_gets_a_conflict_and_recovers() {
    let database = TestDatabase::create().await.unwrap();
    let (one, other) = (opened(&database).await, opened(&database).await);
    let mine = one.entity::<Account>("42").await.unwrap();
    let theirs = other.entity::<Account>("42").await.unwrap();
    mine.ask(deposit(1)).await.unwrap();

    let error = theirs.ask(deposit(10)).await.unwrap_err();
    let AskError::Command(CommandError::Failed(conflict)) = &error else {
        panic!("{error:?}");
    };
    let WriteError::Conflict {
        attempted, highest, ..
    } = conflict
    else {
        panic!("{conflict:?}");
    };
    assert_eq!((attempted.get(), highest.get()), (1, 1));
    assert!(conflict.to_string().contains("Account|42"), "{conflict}");

    let theirs = other.entity::<Account>("42").await.unwrap();
    assert_eq!(theirs.ask(deposit(10)).await.unwrap(), 11);
    one.shutdown().await;
    other.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_snapshot_falls_back_to_the_one_before_and_then_to_all_events() {
    let database = TestDatabase::create().await.unwrap();
    let annals = opened(&database).await;
    let account = annals.entity::<Account>("42").await.unwrap();
    for _ in 0..25 {
        account.ask(deposit(1)).await.unwrap();
    }
    annals.shutdown().await;

    let connection = database.connect().await.unwrap();
    // A recovery that replayed more than lies between two snapshots takes the missing one, at 25.
    for (broken, snapshot, events) in [
        (vec![99_i64], 20, 5),
        (vec![20], 10, 15),
        (vec![10, 25], 0, 25),
    ] {
        connection
            .execute(
                "update snapshot set snapshot = '\\xff' where sequence_number = any($1)",
                &[&broken],
            )
            .await
            .unwrap();
        let annals = opened(&database).await;
        let account = annals.entity::<Account>("42").await.unwrap();
        let recovered = account.recovered();
        assert_eq!(
            (recovered.snapshot.get(), recovered.events),
            (snapshot, events)
        );
        assert_eq!(account.ask(Command::Balance).await.unwrap(), 25);
        annals.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_refuses_a_hole_and_a_malformed_row_by_name() {
    let database = TestDatabase::create().await.unwrap();
    let annals = opened(&database).await;
    for id in ["hole", "malformed"] {
        let account = annals.entity::<Account>(id).await.unwrap();
        for _ in 0..3 {
            account.ask(deposit(1)).await.unwrap();
        }
    }
    annals.shutdown().await;
    let connection = database.connect().await.unwrap();
    connection
        .batch_execute(
            "delete from journal where persistence_id = 'Account|hole' and sequence_number = 2; \
             update journal set metadata = '{}' where persistence_id = 'Account|malformed' and sequence_number = 2",
        )
        .await
        .unwrap();

    let annals = opened(&database).await;
    let recovery_error = async |id: &str| match annals.entity::<Account>(id).await {
        Err(EntityError::Recovery { source, .. }) => source,
        other => panic!("{other:?}"),
    };
    let hole = recovery_error("hole").await;
    assert!(matches!(&hole, RecoveryError::Hole { hole, .. } if hole.first.get() == 2));
    assert!(hole.to_string().contains("Account|hole"), "{hole}");

    let RecoveryError::Replay(malformed) = recovery_error("malformed").await else {
        panic!("not a replay error");
    };
    assert!(matches!(
        malformed,
        ReplayError::MalformedRow {
            sequence_number: 2,
            ..
        }
    ));
    assert!(
        malformed.to_string().contains("select * from journal"),
        "{malformed}"
    );
    annals.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_answers_every_accepted_command() {
    let database = TestDatabase::create().await.unwrap();
    let annals = opened(&database).await;
    let mut answers = Vec::new();
    for id in 0..50 {
        let account = annals.entity::<Account>(&id.to_string()).await.unwrap();
        for _ in 0..10 {
            let (reply, answer) = tokio::sync::oneshot::channel();
            let command = Command::Deposit(1, "deposits".to_owned(), reply.into());
            account.cast(command).unwrap();
            answers.push(answer);
        }
    }
    annals.shutdown().await;
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(events_of(&database).await, 500);
    let late = annals.entity::<Account>("late").await;
    assert!(matches!(late, Err(EntityError::Draining { .. })));
}

async fn events_of(database: &TestDatabase) -> i64 {
    let connection = database.connect().await.unwrap();
    connection
        .query_one("select count(*) from journal", &[])
        .await
        .unwrap()
        .get(0)
}
