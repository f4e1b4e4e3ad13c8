//! Each rule that the kit checks, broken.

use annals_testkit::EntityTestKit;

use super::fragile::{Command, Event, Fragile};

fn persist(event: Event) -> impl FnOnce(annals_persistence::Reply<()>) -> Command {
    move |reply| Command::Persist(event, reply)
}

async fn kit() -> EntityTestKit<Fragile> {
    let mut kit = EntityTestKit::<Fragile>::new("1").await;
    kit.run(persist(Event::Added { by: 1 })).await;
    kit
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "Fragile|1, command 2: event 2 (Halved: {\"by\":3}) does not survive its codec: what is read from it is written as (Halved: {\"by\":0})"
)]
async fn an_event_that_loses_a_field_when_it_is_read() {
    kit().await.run(persist(Event::Halved { by: 3 })).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "Fragile|1, command 2: the stored events make another state than the entity has"
)]
async fn an_event_that_loses_a_field_when_it_is_written() {
    kit().await.run(persist(Event::Skipped { by: 3 })).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "`apply` looks at more than state and event, or a command changes the state by itself; the last is event 2 (Rolled:"
)]
async fn a_fold_that_looks_at_more_than_state_and_event() {
    kit().await.tell(Command::Tell(Event::Rolled)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "Fragile|1, command 2: the state (Fragile: {\"sum\":1,\"is_forgetful\":true,\"unwritable\":{},\"entries\":{},\"looked_at\":0}) does not survive its codec: what is read from it is (Fragile: {\"sum\":0,"
)]
async fn a_state_that_loses_a_field() {
    kit().await.run(persist(Event::MadeForgetful)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "\"unreadable\":true,\"unwritable\":{},\"entries\":{},\"looked_at\":0}) cannot be read: the payload with the manifest \"Fragile\""
)]
async fn a_state_that_cannot_be_read() {
    kit().await.run(persist(Event::MadeUnreadable)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "Fragile|1, command 2: the state cannot be written: ")]
async fn a_state_that_cannot_be_written() {
    kit().await.run(persist(Event::MadeUnwritable)).await;
}

/// Its bytes do not tell; `==` does.
#[tokio::test(start_paused = true)]
#[should_panic(expected = "Fragile|1, command 2: the state (Fragile: {\"sum\":1,")]
async fn a_state_that_leaves_a_field_out() {
    let mut kit = kit().await.comparing_states();
    kit.run(persist(Event::LeftOut)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "Fragile|1, command 2: there is no reply, the port was dropped")]
async fn a_command_that_drops_its_port() {
    kit().await.run(Command::Drop).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "Fragile|1, command 2: there was to be no reply, but there is one")]
async fn a_reply_that_must_not_be() {
    let added = Event::Added { by: 1 };
    kit().await.run_unanswered(persist(added)).await;
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_to_get_no_reply() {
    let mut kit = kit().await;
    let run = kit.run_unanswered(Command::Ignore).await;
    assert!(run.events().is_empty());
    let run = kit.run_unanswered(Command::PersistAndDrop).await;
    assert_eq!(run.events(), [Event::Added { by: 1 }]);
}

#[tokio::test(start_paused = true)]
async fn what_is_turned_off_is_not_checked() {
    let mut kit = kit().await.without_event_checks().without_state_checks();
    for event in [
        Event::Halved { by: 3 },
        Event::Skipped { by: 3 },
        Event::Rolled,
        Event::MadeForgetful,
        Event::MadeUnwritable,
    ] {
        kit.run(persist(event)).await;
    }
    kit.restart().await;
}

/// One state, many encodings.
#[tokio::test(start_paused = true)]
async fn a_hash_map_is_compared_by_what_is_in_it() {
    let mut kit = kit().await.comparing_states();
    for key in 0..50 {
        kit.run(persist(Event::Entered(key))).await;
    }
    kit.restart().await;
    kit.run(persist(Event::Entered(50))).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "compare by `==` (`comparing_states`) if one state has several encodings"
)]
async fn a_hash_map_that_is_compared_by_its_bytes_is_told_the_way_out() {
    let mut kit = kit().await;
    for key in 0..50 {
        kit.run(persist(Event::Entered(key))).await;
    }
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "Fragile|1, command 2, restarted: the entity had the state (Fragile: {")]
async fn a_state_that_changes_past_the_events() {
    let mut kit = kit().await;
    kit.run(Command::Look).await;
    kit.restart().await;
}

/// No rule is broken: what is read is what counts.
#[tokio::test(start_paused = true)]
async fn an_event_that_is_read_as_none_or_as_several() {
    let mut kit = kit().await;
    kit.run(persist(Event::Passed)).await;
    let run = kit.run(persist(Event::Split { by: 5 })).await;
    let two = [Event::Added { by: 4 }, Event::Added { by: 1 }];
    assert_eq!(run.events(), two);
    assert_eq!(run.envelopes().len(), 1);
    kit.restart().await;
    assert_eq!(kit.state().sum, 6);

    let probe = kit.probe();
    assert_eq!(probe.persisted().len(), 3);
    assert_eq!(probe.expect_next_persisted().await, Event::Added { by: 1 });
    for event in two {
        assert_eq!(probe.expect_next_persisted().await, event);
    }
    probe.expect_nothing_persisted().await;
}
