use annals_persistence::{CommandError, WriteError};
use annals_testkit::{EntityTestKit, WriteFailure};

use super::account::{Account, Command, Event, Overdrawn};
use super::counter::{self, Counter};

fn deposit(cents: i64) -> impl FnOnce(annals_persistence::Reply<i64>) -> Command {
    move |reply| Command::Deposit(cents, reply)
}

fn deposited(cents: i64) -> Event {
    Event::Deposited { cents }
}

#[tokio::test(start_paused = true)]
async fn a_command_gives_its_events_its_reply_and_the_state() {
    let mut kit = EntityTestKit::<Account>::new("42").await;
    let run = kit.run(deposit(500)).await;
    assert_eq!(run.events(), [deposited(500)]);
    assert_eq!(run.reply().unwrap(), &500);
    assert_eq!(run.state().balance, 500);
    assert_eq!(run.envelopes()[0].sequence_number, 1.into());
    assert!(!run.has_ended());

    let run = kit.run(|reply| Command::Withdraw(900, reply)).await;
    assert!(run.events().is_empty());
    assert_eq!(run.into_reply().unwrap(), Err(Overdrawn { balance: 500 }));
    let run = kit.run(|reply| Command::Withdraw(100, reply)).await;
    assert_eq!(run.events(), [Event::Withdrawn { cents: 100 }]);
    assert_eq!(run.reply().unwrap(), &Ok(400));

    let recovered = kit.restart().await;
    assert_eq!(recovered.events, 2);
    assert_eq!(kit.state().balance, 400);
    assert_eq!(kit.sequence_number(), 2.into());
    assert_eq!(kit.probe().persisted().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_entity_has_the_history_that_it_is_given() {
    let mut kit = EntityTestKit::<Account>::with_history("42", [deposited(1), deposited(2)]).await;
    let run = kit.run(deposit(4)).await;
    assert_eq!(run.reply().unwrap(), &7);
    assert_eq!(run.events(), [deposited(4)], "the history is not news");

    let state = Account {
        balance: 100,
        is_frozen: false,
    };
    let mut kit = EntityTestKit::<Account>::with_snapshot("42", &state, [deposited(1)]).await;
    assert_eq!(kit.run(deposit(1)).await.reply().unwrap(), &102);
    kit.restart().await;
    assert_eq!(kit.state().balance, 102);

    let kit = EntityTestKit::<Account>::with_snapshot("42", &state, []).await;
    assert_eq!(kit.state(), &state);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_write_leaves_the_entity_as_it_was() {
    let mut kit = EntityTestKit::<Account>::with_history("42", [deposited(1)]).await;
    kit.fail_next_write(WriteFailure::Rejected);
    let run = kit.run(deposit(500)).await;
    assert!(matches!(run.reply(), Err(CommandError::Rejected(_))));
    assert!(run.events().is_empty());
    assert!(!run.has_ended());
    assert_eq!(kit.run(deposit(1)).await.reply().unwrap(), &2);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_nobody_knows_of_ends_the_entity_and_the_next_one_knows() {
    for (failure, stored) in [
        (WriteFailure::RequestLost, vec![]),
        (WriteFailure::ReplyLost, vec![deposited(500)]),
    ] {
        let balance = if stored.is_empty() { 0 } else { 500 };
        let mut kit = EntityTestKit::<Account>::new("42").await;
        kit.fail_next_write(failure);
        let run = kit.run(deposit(500)).await;
        assert!(matches!(run.reply(), Err(CommandError::Failed(_))));
        assert_eq!(run.events(), stored, "{failure:?}");
        assert!(run.has_ended());
        assert!(matches!(kit.failure(), Some(WriteError::Unknown { .. })));
        let run = kit.run(deposit(1)).await;
        assert_eq!(run.reply().unwrap(), &(balance + 1), "{failure:?}");
        assert_eq!(run.events(), [deposited(1)]);
        assert_eq!(kit.failures().pending(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_writer_stored_is_not_of_the_run() {
    let mut kit = EntityTestKit::<Account>::new("42").await;
    kit.probe().persist_for_recovery([deposited(7)]);
    let run = kit.run(deposit(1)).await;
    assert!(
        matches!(
            run.reply(),
            Err(CommandError::Failed(WriteError::Conflict { .. }))
        ),
        "{run:?}"
    );
    assert!(run.events().is_empty());
    assert_eq!(kit.run(deposit(1)).await.reply().unwrap(), &8);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_stashed_is_finished_later() {
    let mut kit = EntityTestKit::<Account>::new("42").await;
    kit.tell(Command::Freeze).await;
    let first = kit.begin(deposit(1)).await;
    let second = kit.begin(deposit(2)).await;
    assert_eq!(kit.stashed_commands(), 2);
    assert!(first.is_open() && second.is_open());
    let run = kit.tell(Command::Thaw).await;
    assert_eq!(run.events(), [Event::Thawed, deposited(1), deposited(2)]);
    assert!(!first.is_open());
    assert_eq!(kit.finish(second).await.reply().unwrap(), &3);
    assert_eq!(kit.finish(first).await.reply().unwrap(), &1);
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "Account|42, command 2: there was no reply within 3s; commands in its stash: 1 (see `begin`)"
)]
async fn a_reply_that_does_not_come_is_named() {
    let mut kit = EntityTestKit::<Account>::new("42").await;
    kit.tell(Command::Freeze).await;
    kit.run(deposit(1)).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_entity_sends_to_itself_is_run() {
    let mut kit = EntityTestKit::<Account>::new("42").await;
    let run = kit.run(|reply| Command::DepositLater(5, reply)).await;
    assert_eq!(run.events(), [deposited(5)]);
    assert_eq!(run.reply().unwrap(), &5);
    assert!(kit.tell(Command::Interest).await.events().is_empty());
    assert_eq!(kit.settle().await.events(), [deposited(1)]);
    assert_eq!(kit.state().balance, 6);
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_stops_comes_back_with_the_next_command() {
    let mut kit = EntityTestKit::<Account>::with_history("42", [deposited(5)]).await;
    assert!(kit.run(Command::Close).await.has_ended());
    assert!(kit.failure().is_none());
    assert_eq!(kit.state().balance, 5);
    assert_eq!(kit.run(deposit(1)).await.reply().unwrap(), &6);
    assert!(!kit.has_ended());

    let run = kit.run(|reply| Command::DepositAndClose(4, reply)).await;
    assert_eq!(run.reply().unwrap(), &10, "it was in the mailbox before");
    assert!(run.has_ended());
}

#[tokio::test(start_paused = true)]
async fn snapshots_are_taken_and_found() {
    let mut kit = EntityTestKit::<Counter>::new("1").await;
    for _ in 0..7 {
        kit.tell(counter::Command::Bump).await;
    }
    kit.settle().await;
    assert_eq!(kit.probe().expect_snapshot(5).await, Counter { count: 5 });
    let recovered = kit.restart().await;
    assert_eq!((recovered.snapshot, recovered.events), (5.into(), 2));
    assert_eq!(kit.state().count, 7);
    kit.tell(counter::Command::Bump).await;
}
