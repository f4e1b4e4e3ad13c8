use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use annals_persistence::{Backoff, EventEnvelope, Offset};
use annals_postgres::{Settings, connect};
use annals_projection::{
    Handled, OnFailure, Projection, ProjectionFailed, RangeState, TransactionHandler,
};
use tokio_postgres::Transaction;

use crate::seen::note;
use crate::world::{World, quick, tag, within_a_minute};

/// Fails on some offsets, so often.
#[derive(Clone, Default)]
pub(crate) struct Picky {
    fails: Arc<Mutex<HashMap<i64, usize>>>,
    calls: Arc<Mutex<HashMap<i64, usize>>>,
    how: How,
    elsewhere: Option<Settings>,
}

#[derive(Clone, Copy, Default)]
pub(crate) enum How {
    #[default]
    Error,
    Panic,
    /// Ends its own session: no event is to blame for that.
    LoseConnection,
    /// The same with a session that is none of the projection's.
    LoseAnother,
    /// As where two transactions meet: trying again helps.
    Collide,
    /// Breaks a constraint, and says nothing of it.
    HideError,
    Hang,
}

impl Picky {
    pub(crate) fn on(fails: impl IntoIterator<Item = (i64, usize)>) -> Self {
        let fails = Arc::new(Mutex::new(fails.into_iter().collect()));
        Self {
            fails,
            ..Self::default()
        }
    }

    fn by(self, how: How) -> Self {
        Self { how, ..self }
    }

    /// Nothing fails any more.
    pub(crate) fn mend(&self) {
        self.fails.lock().unwrap().clear();
    }

    pub(crate) fn calls(&self, offset: i64) -> usize {
        self.calls
            .lock()
            .unwrap()
            .get(&offset)
            .copied()
            .unwrap_or(0)
    }

    fn fails_on(&self, offset: i64) -> bool {
        *self.calls.lock().unwrap().entry(offset).or_default() += 1;
        let mut fails = self.fails.lock().unwrap();
        let left = fails.get_mut(&offset).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }
}

impl TransactionHandler for Picky {
    async fn handle(&self, event: &EventEnvelope, transaction: &Transaction<'_>) -> Handled {
        note(event, transaction).await?;
        if !self.fails_on(event.offset.get()) {
            return Ok(());
        }
        match self.how {
            How::Error => Err("it does not taste".into()),
            How::Panic => panic!("it bites"),
            How::LoseConnection => {
                let end = "select pg_terminate_backend(pg_backend_pid())";
                Ok(transaction.batch_execute(end).await?)
            }
            How::LoseAnother => {
                let another = connect(self.elsewhere.as_ref().ok_or("nowhere")?).await?;
                let end = "select pg_terminate_backend(pg_backend_pid())";
                Ok(another.batch_execute(end).await?)
            }
            How::Collide => {
                let collide = "do $$ begin raise exception using errcode = '40001'; end $$";
                Ok(transaction.batch_execute(collide).await?)
            }
            How::HideError => {
                let _ = transaction.batch_execute("select 1 / 0").await;
                Ok(())
            }
            How::Hang => {
                transaction.batch_execute("select pg_sleep(600)").await?;
                Ok(())
            }
        }
    }
}

fn at_once() -> Backoff {
    let min = Duration::from_millis(1);
    Backoff { min, max: min }
}

pub(crate) fn projection(handler: &Picky, on_failure: OnFailure) -> Projection {
    let on_failure = on_failure.retries(2).backoff(at_once());
    quick(Projection::exactly_once("picky", tag(), handler.clone())).on_failure(on_failure)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_a_while_is_tried_again() {
    let mut world = World::open().await;
    world.write_over(3, 30).await;
    let picky = Picky::on([(1, 2), (17, 1), (30, 2)]);
    let projection = projection(&picky, OnFailure::fail());
    let running = world.projections().start(projection).await.unwrap();
    world.until_seen(30).await;
    running.stop().await.unwrap();
    world.assert_exact(30).await;
    assert_eq!(
        [1, 2, 17, 30].map(|offset| picky.calls(offset)),
        [3, 1, 2, 3]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guilty_event_of_a_group_goes_to_the_dead_letters_alone() {
    let mut world = World::open().await;
    world.write_over(3, 100).await;
    for how in [How::Error, How::Panic, How::HideError] {
        let picky = Picky::on([(7, 99), (58, 99)]).by(how);
        let projection = projection(&picky, OnFailure::dead_letter()).in_groups_of(50);
        let control = world.projections().control("picky", 1);
        let running = world.projections().start(projection).await.unwrap();
        world
            .until("select read_to = 100 from projection_range")
            .await;
        running.stop().await.unwrap();
        let missing = "select array_agg(i)::text from generate_series(1, 100) as i \
                       where i not in (select ordering from seen)";
        assert_eq!(world.one::<String>(missing).await, "{7,58}");
        world.assert_exact(98).await;
        let letters = control.dead_letters(Offset::start(), 10).await.unwrap();
        let [one, two] = &letters[..] else {
            panic!("{letters:?}");
        };
        assert_eq!((one.offset, two.offset), (Offset::new(7), Offset::new(58)));
        assert_eq!(one.event, Some(("Test|0".to_owned(), 3)));
        assert_eq!(one.attempts, 3);
        let says = match how {
            How::Panic => "the handler panicked: it bites",
            How::HideError => "current transaction is aborted",
            _ => "it does not taste",
        };
        assert!(one.error.contains(says), "{one:?}");
        assert_eq!(control.status().await.unwrap().dead_letters, 2);
        // Again from the beginning.
        control.reset(Offset::start()).await.unwrap();
        world.sql.batch_execute("truncate seen").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_stopped_says_why_and_goes_on_when_it_is_told_to() {
    let mut world = World::open().await;
    world.write_over(3, 20).await;
    // One more than attempts: the group counts for nothing.
    let picky = Picky::on([(8, 4), (12, 99)]);
    let projection = projection(&picky, OnFailure::stop()).in_groups_of(20);
    let control = world.projections().control("picky", 1);
    let running = world.projections().start(projection).await.unwrap();
    world.until("select stopped from projection_range").await;
    let range = control.status().await.unwrap().ranges.remove(0);
    assert_eq!(
        (range.state, range.offset),
        (RangeState::Stopped, Offset::new(7))
    );
    let error = range.last_error.unwrap();
    assert_eq!((error.offset, error.attempts), (Some(Offset::new(8)), 3));
    assert_eq!(error.message, "it does not taste");
    assert_eq!(world.one::<i64>("select count(*) from seen").await, 7);
    let as_it_stands = "select r::text from projection_range r";
    let before: String = world.one(as_it_stands).await;
    for elsewhere in [7, 9, 20] {
        control.skip(Offset::new(elsewhere)).await.unwrap_err();
        assert_eq!(world.one::<String>(as_it_stands).await, before);
    }

    // Mended.
    control.resume().await.unwrap();
    world
        .until("select stopped and failed_at = 12 from projection_range")
        .await;
    control.skip(Offset::new(12)).await.unwrap();
    world.until_seen(19).await;
    running.stop().await.unwrap();
    world.assert_exact(19).await;
    let letters = control.dead_letters(Offset::start(), 10).await.unwrap();
    assert_eq!(letters[0].event, Some(("Test|2".to_owned(), 4)));
    assert_eq!((letters.len(), letters[0].attempts), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_skipped_while_it_is_tried_again() {
    let mut world = World::open().await;
    world.write_over(3, 20).await;
    let picky = Picky::on([(8, usize::MAX)]);
    let projection = quick(Projection::exactly_once("picky", tag(), picky.clone()))
        .on_failure(OnFailure::fail().retries(u32::MAX).backoff(at_once()))
        .in_groups_of(20);
    let control = world.projections().control("picky", 1);
    let running = world.projections().start(projection).await.unwrap();
    world
        .until("select failed_at = 8 and attempts > 5 from projection_range")
        .await;
    assert_eq!(
        control.status().await.unwrap().ranges[0].state,
        RangeState::Retrying
    );
    control.skip(Offset::new(8)).await.unwrap();
    world.until_seen(19).await;
    running.stop().await.unwrap();
    world.assert_exact(19).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_that_is_to_fail_ends_with_the_error_and_the_others_go_on_from_there() {
    let mut world = World::open().await;
    world.write_over(3, 20).await;
    // One more than attempts: the group counts for nothing.
    let picky = Picky::on([(8, 4)]);
    let projection = projection(&picky, OnFailure::fail()).in_groups_of(20);
    let mut running = world.projections().start(projection.clone()).await.unwrap();
    let ProjectionFailed::Handler { offset, error, .. } =
        within_a_minute(running.ended()).await.unwrap_err()
    else {
        panic!("not the handler");
    };
    assert_eq!((offset, &*error), (Offset::new(8), "it does not taste"));
    let running = world.projections().start(projection).await.unwrap();
    world.until_seen(20).await;
    running.stop().await.unwrap();
    world.assert_exact(20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_no_fault_of_the_event() {
    for (how, says) in [
        (How::LoseConnection, "connection"),
        (How::LoseAnother, "passes"),
        (How::Collide, "passes"),
    ] {
        let mut world = World::open().await;
        world.write_over(3, 20).await;
        let mut picky = Picky::on([(8, 5)]).by(how);
        picky.elsewhere = Some(world.settings.clone());
        let never = OnFailure::dead_letter().retries(0);
        let projection = quick(Projection::exactly_once("picky", tag(), picky.clone()))
            .on_failure(never)
            .in_groups_of(6);
        let running = world.projections().start(projection).await.unwrap();
        world.until_seen(20).await;
        running.stop().await.unwrap();
        world.assert_exact(20).await;
        let error: String = world.one("select error from projection_range").await;
        assert!(error.contains(says), "it is told: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_hangs_is_cut_off_and_holds_no_lock() {
    let mut world = World::open().await;
    world.write_over(3, 20).await;
    let picky = Picky::on([(8, 3)]).by(How::Hang);
    let projection =
        projection(&picky, OnFailure::dead_letter()).patience(Duration::from_millis(100));
    let running = world.projections().start(projection).await.unwrap();
    world.until_seen(19).await;
    running.stop().await.unwrap();
    world.assert_exact(19).await;
    world
        .until(
            "select count(*) = 0 from pg_stat_activity \
             where datname = current_database() and query like '%pg_sleep(600)' and state = 'active'",
        )
        .await;
    let error: String = world.one("select error from projection_dead_letter").await;
    assert!(error.contains("longer than 100ms"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_is_treated_like_an_event_that_fails() {
    let mut world = World::open().await;
    world.write_over(3, 20).await;
    world
        .sql
        .batch_execute("update journal set metadata = '{}' where ordering = 8")
        .await
        .unwrap();
    let projection = projection(&Picky::default(), OnFailure::dead_letter()).in_groups_of(6);
    let control = world.projections().control("picky", 1);
    let running = world.projections().start(projection).await.unwrap();
    world.until_seen(19).await;
    running.stop().await.unwrap();
    world.assert_exact(19).await;
    let letters = control.dead_letters(Offset::start(), 10).await.unwrap();
    assert_eq!(
        (letters[0].offset, &letters[0].event),
        (Offset::new(8), &None)
    );
    assert!(letters[0].error.contains("malformed"), "{letters:?}");
}

/// What was handled before the event that fails is saved: a skip passes over nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_stopped_has_saved_what_it_had_done() {
    let mut world = World::open().await;
    world.write_over(3, 20).await;
    let handler = |event: EventEnvelope| async move {
        match event.offset.get() {
            8 => Err("it does not taste".into()),
            _ => Ok(()),
        }
    };
    let projection = quick(Projection::at_least_once("picky", tag(), handler))
        .on_failure(OnFailure::stop().retries(0))
        .saving_after(1_000, Duration::from_secs(600));
    let running = world.projections().start(projection).await.unwrap();
    world.until("select stopped from projection_range").await;
    running.stop().await.unwrap();
    assert_eq!(
        world
            .one::<i64>("select read_to from projection_range")
            .await,
        7
    );
}

/// A handler that works elsewhere may lose its own sessions, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_a_handler_lost_is_no_fault_of_the_event_wherever_it_works() {
    let mut world = World::open().await;
    world.write_over(3, 20).await;
    let (settings, failures) = (world.settings.clone(), Arc::new(Mutex::new(5)));
    let handler = move |event: EventEnvelope| {
        let (settings, failures) = (settings.clone(), Arc::clone(&failures));
        async move {
            let connection = connect(&settings).await?;
            let fails = event.offset.get() == 8 && {
                let mut left = failures.lock().unwrap();
                *left -= 1;
                *left > 0
            };
            if fails {
                let end = "select pg_terminate_backend(pg_backend_pid())";
                connection.batch_execute(end).await?;
            }
            let see = format!("insert into seen values ({})", event.offset.get());
            Ok(connection.batch_execute(&see).await?)
        }
    };
    let projection = quick(Projection::at_least_once("picky", tag(), handler))
        .on_failure(OnFailure::dead_letter().retries(0))
        .saving_after(1_000, Duration::from_secs(600));
    let running = world.projections().start(projection).await.unwrap();
    world.until_seen(20).await;
    running.stop().await.unwrap();
    // What had been handled before was saved, and did not come again.
    world.assert_exact(20).await;
}
