use std::time::Duration;

use annals_persistence::{Offset, ReaderPositions, Selection, TagExpression, Timestamp};
use annals_projection::{Projection, ProjectionError, ProjectionFailed, RangeState};

use crate::seen::Seen;
use crate::world::{World, quick, tag, within_a_minute};

fn seen() -> Projection {
    quick(Projection::exactly_once("seen", tag(), Seen::new())).in_groups_of(10)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_lasts_until_it_is_ended_whoever_starts_meanwhile() {
    let mut world = World::open().await;
    let control = world.projections().control("seen", 1);
    let error = control.pause().await.unwrap_err();
    assert!(error.to_string().contains("seen/1"), "{error}");
    let running = world
        .projections()
        .start(seen().over_ranges(2))
        .await
        .unwrap();
    world.write_over(9, 50).await;
    world.until_seen(50).await;
    control.pause().await.unwrap();
    world
        .until("select count(owner) = 0 from projection_range")
        .await;
    let status = control.status().await.unwrap();
    let states: Vec<_> = status.ranges.iter().map(|it| it.state).collect();
    assert_eq!(states, [RangeState::Paused; 2]);
    let another = world
        .projections()
        .start(seen().over_ranges(2))
        .await
        .unwrap();
    world.write_over(9, 50).await;
    world
        .until("select count(*) = 2 from projection_member")
        .await;
    // Both have looked, and left the ranges alone.
    let looked =
        "select min(alive_until) > (select max(alive_until) from before) from projection_member";
    world
        .sql
        .batch_execute("create table before as select * from projection_member")
        .await
        .unwrap();
    world.until(looked).await;
    assert_eq!(world.one::<i64>("select count(*) from seen").await, 50);
    control.resume().await.unwrap();
    world.until_seen(100).await;
    running.stop().await.unwrap();
    another.stop().await.unwrap();
    world.assert_exact(100).await;
}

/// The table and the offset go back together, while the handler is at work.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_with_the_table_in_one_transaction_is_exact() {
    let mut world = World::open().await;
    let control = world.projections().control("seen", 1);
    let running = world.projections().start(seen()).await.unwrap();
    for round in 1..=10 {
        world.write_over(9, 100).await;
        let transaction = world.sql.transaction().await.unwrap();
        transaction.batch_execute("truncate seen").await.unwrap();
        control
            .reset_within(&transaction, Offset::start())
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        if round % 2 == 0 {
            world.until_seen(round * 100).await;
        }
    }
    world.until_seen(1_000).await;
    // Where nothing is written, the offset is not saved either: it hears of it all the same.
    world.sql.batch_execute("truncate seen").await.unwrap();
    control.reset(Offset::new(900)).await.unwrap();
    world.until_seen(100).await;
    running.stop().await.unwrap();
    world.assert_exact(100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_to_a_time_begins_with_the_first_event_from_then_on() {
    let mut world = World::open().await;
    world.write_over(9, 300).await;
    let at = "update journal set metadata = jsonb_set(metadata, '{t}', to_jsonb(ordering * 1000))";
    world.sql.batch_execute(at).await.unwrap();
    let running = world.projections().start(seen()).await.unwrap();
    world.until_seen(300).await;
    running.stop().await.unwrap();
    let control = world.projections().control("seen", 1);
    for (millis, offset) in [
        (0, 0),
        (1_000, 0),
        (1_001, 1),
        (2_000, 1),
        (77_000, 76),
        (77_001, 77),
        (128_500, 128),
        (300_000, 299),
        (300_001, 300),
        (i64::MAX, 300),
    ] {
        let found = control
            .reset_to_time(Timestamp::from_millis(millis))
            .await
            .unwrap();
        assert_eq!(found, Offset::new(offset), "{millis}");
        let read_to: i64 = world.one("select read_to from projection_range").await;
        assert_eq!(read_to, offset);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_says_how_far_it_is_behind() {
    let mut world = World::open().await;
    world.write_over(9, 60).await;
    let which = Selection::from("t & !never".parse::<TagExpression>().unwrap()).of_type("Test");
    let projection = quick(Projection::exactly_once("seen", which, Seen::new())).over_ranges(2);
    let control = world.projections().control("seen", 1);
    assert!(matches!(
        control.status().await,
        Err(ProjectionError::Unknown { .. })
    ));
    let running = world.projections().start(projection).await.unwrap();
    world.until_seen(60).await;
    let status = control.status().await.unwrap();
    assert!(
        status.has_caught_up() && status.live && status.processes == 1,
        "{status:?}"
    );
    assert_eq!((status.progress(), status.newest), (1.0, Offset::new(60)));
    assert_eq!(status.ranges.iter().map(|it| it.handled).sum::<u64>(), 60);
    assert!(status.rate() > 0.0);
    running.stop().await.unwrap();

    world.write("0", 40).await;
    let status = control.status().await.unwrap();
    let behind: Vec<_> = status
        .ranges
        .iter()
        .filter(|it| it.lag.events > 0)
        .collect();
    let [behind] = &behind[..] else {
        panic!("one range has the persistence id: {status:?}");
    };
    assert!((40..=100).contains(&behind.lag.events), "{behind:?}");
    assert_eq!(behind.state, RangeState::Unattended);
    assert!(status.progress() < 1.0);
    let old =
        "update journal set metadata = jsonb_set(metadata, '{t}', '1000') where ordering = 61";
    world.sql.batch_execute(old).await.unwrap();
    let status = control.status().await.unwrap();
    let waits = status.ranges.iter().map(|it| it.lag.time).max().unwrap();
    assert!(waits > Duration::from_secs(1_000_000_000), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_runs_beside_the_live_one_and_is_switched_to() {
    let mut world = World::open().await;
    world.write_over(9, 60).await;
    let projections = world.projections();
    assert_eq!(projections.live("seen").await.unwrap(), None);
    let one = projections.start(seen()).await.unwrap();
    world.until_seen(60).await;
    world
        .sql
        .batch_execute("create table seen_2 as table seen with no data")
        .await
        .unwrap();

    let rebuild = projections.control("seen", 2);
    let two = projections.start(seen().version(2)).await.unwrap();
    world
        .until("select read_to = 60 from projection_range where version = 2")
        .await;
    assert_eq!(projections.live("seen").await.unwrap(), Some(1));
    assert!(matches!(rebuild.forget().await, Ok(())));
    let mut two = two;
    assert!(matches!(
        within_a_minute(two.ended()).await,
        Err(ProjectionFailed::Forgotten { .. })
    ));

    let two = projections.start(seen().version(2)).await.unwrap();
    two.stop().await.unwrap();
    rebuild.reset(Offset::start()).await.unwrap();
    let behind = rebuild.switch().await.unwrap_err();
    assert!(
        matches!(behind, ProjectionError::StillBehind { .. }),
        "{behind}"
    );
    let two = projections.start(seen().version(2)).await.unwrap();
    world
        .until("select read_to = 60 from projection_range where version = 2")
        .await;
    assert_eq!(rebuild.switch().await.unwrap(), Some(1));
    assert_eq!(projections.live("seen").await.unwrap(), Some(2));
    assert!(matches!(
        rebuild.forget().await,
        Err(ProjectionError::Live { .. })
    ));
    one.stop().await.unwrap();
    projections.control("seen", 1).forget().await.unwrap();
    two.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_keeps_its_ranges() {
    let world = World::open().await;
    let running = world
        .projections()
        .start(seen().over_ranges(4))
        .await
        .unwrap();
    running.stop().await.unwrap();
    let error = world
        .projections()
        .start(seen().over_ranges(8))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ProjectionError::OtherRanges {
                found: 4,
                wanted: 8,
                ..
            }
        ),
        "{error}"
    );
    world
        .projections()
        .start(seen().over_ranges(3))
        .await
        .unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_has_yet_to_read_is_declared_before_it_begins() {
    let mut world = World::open().await;
    world.write_over(9, 60).await;
    let readers = ReaderPositions::new();
    let projections = world.projections().declared_in(readers.clone());
    let running = projections.start(seen().over_ranges(2)).await.unwrap();
    assert!(readers.oldest().is_some());
    world.until_seen(60).await;
    let least: i64 = world.one("select min(read_to) from projection_range").await;
    crate::world::until("the offsets are declared", || {
        readers.oldest() == Some(Offset::new(least))
    })
    .await;
    running.stop().await.unwrap();
    assert_eq!(readers.oldest(), Some(Offset::new(least)));
}
