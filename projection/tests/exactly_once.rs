use std::time::Duration;

use annals_postgres::{Cut, TestProxy};
use annals_projection::{Projection, Projections};

use crate::seen::Seen;
use crate::world::{World, quick, tag, until};

#[tokio::test(flavor = "multi_thread")]
async fn every_event_counts_once_through_a_stop_and_a_start() {
    let mut world = World::open().await;
    world.write_over(3, 20).await;
    let projection = Projection::exactly_once("seen", tag(), Seen::new());
    let running = world.projections().start(projection.clone()).await.unwrap();
    world.until_seen(20).await;
    world.write_over(3, 5).await;
    world.until_seen(25).await;
    running.stop().await.unwrap();
    let left = "select (count(owner), sum(handled), (select count(*) from projection_member))::text \
                from projection_range";
    assert_eq!(world.one::<String>(left).await, "(0,25,0)");

    world.write_over(3, 10).await;
    let running = world
        .projections()
        .start(projection.in_groups_of(4))
        .await
        .unwrap();
    world.until_seen(35).await;
    running.stop().await.unwrap();
    world.assert_exact(35).await;
}

/// Cut off at any moment, a hundred times: in the handler, before, between and behind the statements of
/// the transaction.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_the_table_is_exact() {
    let mut world = World::open().await;
    world.write_over(7, 4_000).await;
    for round in 0..100 {
        let seen = Seen::new();
        let projection = Projection::exactly_once("seen", tag(), seen.clone());
        let lease = Duration::from_millis(200);
        let projection = projection.lease(lease).in_groups_of([1, 3, 20][round % 3]);
        let running = world.projections().start(projection).await.unwrap();
        seen.after(fastrand::usize(1..30)).await;
        // Anywhere between two calls.
        for _ in 0..fastrand::usize(0..300) {
            tokio::task::yield_now().await;
        }
        drop(running);
    }
    let last = Projection::exactly_once("seen", tag(), Seen::new()).in_groups_of(100);
    let running = world.projections().start(quick(last)).await.unwrap();
    world
        .until("select read_to = 4000 from projection_range")
        .await;
    running.stop().await.unwrap();
    world.assert_exact(4_000).await;
}

/// The process lives, its connections do not: requests and answers are lost, those of commits too.
#[tokio::test(flavor = "multi_thread")]
async fn with_connections_that_are_cut_the_table_is_exact() {
    let mut world = World::open().await;
    world.write_over(7, 3_000).await;
    let proxy = TestProxy::to(&world.settings).await;
    let projections = Projections::new(proxy.settings().clone(), world.query());
    let seen = Seen::new();
    let projection = Projection::exactly_once("seen", tag(), seen.clone()).in_groups_of(5);
    let running = projections.start(quick(projection)).await.unwrap();
    for round in 0..60 {
        seen.after(5).await;
        let cut = [
            Cut::BeforeTheServer,
            Cut::BehindTheServer,
            Cut::BeforeTheAnswer,
        ][round % 3];
        proxy.let_pass(fastrand::usize(0..12));
        proxy.plan([cut]);
        until("the connection is cut", || proxy.cuts_left() == 0).await;
    }
    world
        .until("select read_to = 3000 from projection_range")
        .await;
    running.stop().await.unwrap();
    world.assert_exact(3_000).await;
}
