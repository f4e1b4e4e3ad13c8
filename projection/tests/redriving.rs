//! Dead letters that are handled again.

use std::time::Duration;

use annals_persistence::{EventEnvelope, Offset};
use annals_projection::{Control, OnFailure, Projection, ProjectionError};

use crate::failing::{Picky, projection};
use crate::seen::Seen;
use crate::world::{World, quick, tag};

/// Runs until the letters are there.
async fn given_up(world: &World, projection: Projection, letters: usize) -> Control {
    let running = world.projections().start(projection).await.unwrap();
    let there = format!("select count(*) = {letters} from projection_dead_letter");
    world.until(&there).await;
    let newest: i64 = world.one("select max(ordering) from journal").await;
    // Each range has passed the last of its events.
    world
        .until(&format!(
            "select sum(handled) = {newest} from projection_range"
        ))
        .await;
    running.stop().await.unwrap();
    world.projections().control("picky", 1)
}

async fn offsets(control: &Control) -> Vec<i64> {
    let letters = control.dead_letters(Offset::start(), 100).await.unwrap();
    letters.iter().map(|it| it.offset.get()).collect()
}

async fn assert_each_once(world: &World, count: i64) {
    let counts = "select (count(*), count(distinct ordering))::text from seen";
    let counts: String = world.one(counts).await;
    assert_eq!(counts, format!("({count},{count})"));
}

const ASKED_FOR: &str = "select count(*) = 0 from projection_dead_letter where redrive";

#[tokio::test(flavor = "multi_thread")]
async fn one_or_all_are_handled_again_and_those_that_fail_again_stay() {
    let mut world = World::open().await;
    world.write_over(3, 100).await;
    let picky = Picky::on([(7, 3), (58, 5), (99, 99)]);
    let projection = || {
        projection(&picky, OnFailure::dead_letter())
            .in_groups_of(1)
            .over_ranges(4)
    };
    let control = given_up(&world, projection(), 3).await;
    let running = world.projections().start(projection()).await.unwrap();
    control.redrive(Offset::new(7)).await.unwrap();
    world
        .until("select count(*) = 2 from projection_dead_letter")
        .await;
    assert_eq!(offsets(&control).await, [58, 99]);
    assert_each_once(&world, 98).await;
    let error = control.redrive(Offset::new(7)).await.unwrap_err();
    assert!(
        matches!(error, ProjectionError::NoDeadLetter { .. }),
        "{error}"
    );

    for (attempts, letters) in [(4, &[58, 99][..]), (5, &[58, 99]), (6, &[99])] {
        let asked_for = offsets(&control).await.len();
        assert_eq!(control.redrive_all().await.unwrap(), asked_for as u64);
        world.until(ASKED_FOR).await;
        assert_eq!(offsets(&control).await, letters);
        let page = control.dead_letters(Offset::new(58), 1).await.unwrap();
        assert_eq!((page[0].attempts, page[0].redrive), (attempts, false));
        assert_eq!(page[0].error, "it does not taste");
    }
    assert_eq!(picky.calls(99), 6, "once each time");
    assert_eq!(picky.calls(58), 6);
    assert_each_once(&world, 99).await;
    // It is at work as before.
    world.write_over(3, 30).await;
    world.until_seen(129).await;
    running.stop().await.unwrap();
    assert_each_once(&world, 129).await;
    let handled = "select sum(handled)::bigint from projection_range";
    assert_eq!(world.one::<i64>(handled).await, 130);
}

/// Cut off at any moment, while events come and letters are handled again.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_each_counts_once() {
    let mut world = World::open().await;
    world.write_over(7, 400).await;
    let picky = Picky::on((1..=400).map(|offset| (offset, 99)));
    let all = projection(&picky, OnFailure::dead_letter().retries(0)).in_groups_of(1);
    let control = given_up(&world, all, 400).await;
    assert_eq!(control.redrive_all().await.unwrap(), 400);
    let running = || async {
        let seen = Seen::new();
        let projection = Projection::exactly_once("picky", tag(), seen.clone());
        let projection = projection.lease(Duration::from_millis(200));
        let running = world.projections().start(projection).await.unwrap();
        (running, seen)
    };
    for _ in 0..20 {
        let (running, seen) = running().await;
        seen.after(fastrand::usize(1..10)).await;
        for _ in 0..fastrand::usize(0..300) {
            tokio::task::yield_now().await;
        }
        drop(running);
    }
    let (running, _) = running().await;
    world
        .until("select count(*) = 0 from projection_dead_letter")
        .await;
    running.stop().await.unwrap();
    assert_each_once(&world, 400).await;
}

/// What comes again by itself is no dead letter any more: it would count twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_takes_the_letters_back_that_come_again() {
    let mut world = World::open().await;
    world.write_over(3, 50).await;
    let picky = Picky::on([(7, 99), (30, 99)]);
    let projection = || projection(&picky, OnFailure::dead_letter()).in_groups_of(5);
    let control = given_up(&world, projection(), 2).await;
    control.redrive_all().await.unwrap();
    picky.mend();
    let back = "delete from seen where ordering > 20";
    world.sql.batch_execute(back).await.unwrap();
    control.reset(Offset::new(20)).await.unwrap();
    assert_eq!(offsets(&control).await, [7]);
    let running = world.projections().start(projection()).await.unwrap();
    world.until_seen(50).await;
    world
        .until("select count(*) = 0 from projection_dead_letter")
        .await;
    running.stop().await.unwrap();
    assert_each_once(&world, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_gone_or_cannot_be_read_keeps_its_letter() {
    let mut world = World::open().await;
    world.write_over(3, 20).await;
    let spoil = "update journal set metadata = '{}' where ordering = 8";
    world.sql.batch_execute(spoil).await.unwrap();
    let picky = Picky::on([(12, 99)]);
    let projection = || projection(&picky, OnFailure::dead_letter()).in_groups_of(6);
    let control = given_up(&world, projection(), 2).await;
    let gone = "delete from journal where ordering = 12";
    world.sql.batch_execute(gone).await.unwrap();
    picky.mend();
    let running = world.projections().start(projection()).await.unwrap();
    assert_eq!(control.redrive_all().await.unwrap(), 2);
    world.until(ASKED_FOR).await;
    let letters = control.dead_letters(Offset::start(), 10).await.unwrap();
    let [unreadable, gone] = &letters[..] else {
        panic!("{letters:?}");
    };
    assert!(unreadable.error.contains("malformed"), "{unreadable:?}");
    assert!(gone.error.contains("not in the journal"), "{gone:?}");
    assert_eq!((unreadable.attempts, gone.attempts), (4, 4));

    let mend = "update journal set metadata = (select metadata from journal where ordering = 9) \
                where ordering = 8";
    world.sql.batch_execute(mend).await.unwrap();
    control.redrive(Offset::new(8)).await.unwrap();
    world.until_seen(19).await;
    running.stop().await.unwrap();
    assert_eq!(offsets(&control).await, [12]);
    assert_each_once(&world, 19).await;
}

/// At most once, a letter is asked for no more before the handler is called.
#[tokio::test(flavor = "multi_thread")]
async fn handlers_that_work_elsewhere_are_given_letters_too() {
    for at_most in [false, true] {
        let mut world = World::open().await;
        world.write_over(3, 20).await;
        let picky = |fails: bool, world: &World| {
            let settings = world.settings.clone();
            let handler = move |event: EventEnvelope| {
                let settings = settings.clone();
                async move {
                    let offset = event.offset.get();
                    if fails && offset % 5 == 0 {
                        return Err("it does not taste".into());
                    }
                    let connection = annals_postgres::connect(&settings).await?;
                    let see = format!(
                        "insert into seen select {offset}, \
                         (select string_agg(redrive::text, '') from projection_dead_letter where ordering = {offset})"
                    );
                    Ok(connection.batch_execute(&see).await?)
                }
            };
            let projection = match at_most {
                false => Projection::at_least_once("picky", tag(), handler),
                true => Projection::at_most_once("picky", tag(), handler),
            };
            quick(projection).on_failure(OnFailure::dead_letter().retries(0))
        };
        let control = given_up(&world, picky(true, &world), 4).await;
        control.redrive_all().await.unwrap();
        let running = world
            .projections()
            .start(picky(false, &world))
            .await
            .unwrap();
        world
            .until("select count(*) = 0 from projection_dead_letter")
            .await;
        running.stop().await.unwrap();
        assert_each_once(&world, 20).await;
        let asked_for = "select string_agg(distinct id, '') from seen where ordering % 5 = 0";
        assert_eq!(world.one::<String>(asked_for).await, (!at_most).to_string());
    }
}
