use std::sync::Arc;
use std::time::Duration;

use annals_persistence::{EventEnvelope, Tag};
use annals_projection::{EventHandler, Handled, Projection};
use tokio::sync::watch;

use crate::world::{World, quick, tag};

/// Offsets in the order in which they came.
#[derive(Clone, Default)]
struct Came(Arc<watch::Sender<Vec<i64>>>);

impl Came {
    async fn until(&self, enough: impl FnMut(&Vec<i64>) -> bool) -> Vec<i64> {
        let mut came = self.0.subscribe();
        let waiting = came.wait_for(enough);
        let came = tokio::time::timeout(Duration::from_secs(60), waiting).await;
        came.expect("not within a minute").unwrap().clone()
    }
}

impl EventHandler for Came {
    async fn handle(&self, event: &EventEnvelope) -> Handled {
        self.0.send_modify(|came| came.push(event.offset.get()));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_stop_nothing_comes_again() {
    let mut world = World::open().await;
    world.write_over(2, 10).await;
    let came = Came::default();
    let projection = Projection::at_least_once("came", tag(), came.clone());
    let running = world.projections().start(projection.clone()).await.unwrap();
    came.until(|came| came.len() == 10).await;
    running.stop().await.unwrap();
    world.write_over(2, 5).await;
    let running = world.projections().start(projection).await.unwrap();
    let came = came.until(|came| came.len() >= 15).await;
    running.stop().await.unwrap();
    assert!(came.into_iter().eq(1..=15));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_saved_comes_again_and_nothing_is_missing() {
    let mut world = World::open().await;
    world.write_over(2, 100).await;
    let came = Came::default();
    let projection = Projection::at_least_once("came", tag(), came.clone())
        .saving_after(30, Duration::from_secs(600));
    let running = world
        .projections()
        .start(quick(projection.clone()))
        .await
        .unwrap();
    came.until(|came| came.len() == 100).await;
    world
        .until("select read_to = 90 from projection_range")
        .await;
    drop(running);
    let running = world.projections().start(quick(projection)).await.unwrap();
    let came = came.until(|came| came.len() >= 110).await;
    running.stop().await.unwrap();
    assert!(came.into_iter().eq((1..=100).chain(91..=100)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_is_saved_after_a_while_even_if_nothing_follows() {
    let mut world = World::open().await;
    world.write_over(2, 7).await;
    let projection = Projection::at_least_once("came", tag(), Came::default())
        .saving_after(1_000, Duration::from_millis(20));
    let running = world.projections().start(projection).await.unwrap();
    world
        .until("select read_to = 7 and handled = 7 from projection_range")
        .await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_once_nothing_comes_twice() {
    let mut world = World::open().await;
    world.write_over(2, 300).await;
    let came = Came::default();
    let projection = quick(Projection::at_most_once("came", tag(), came.clone()));
    for _ in 0..10 {
        let running = world.projections().start(projection.clone()).await.unwrap();
        let seen = came.0.borrow().len();
        came.until(|came| came.len() > seen + 5).await;
        drop(running);
    }
    let running = world.projections().start(projection).await.unwrap();
    world
        .until("select read_to = 300 from projection_range")
        .await;
    running.stop().await.unwrap();
    let came = came.0.borrow().clone();
    assert!(came.is_sorted_by(|one, next| one < next), "{came:?}");
    assert!(came.len() >= 285, "{}", came.len());
}

/// Or it would hold back the partitions that it has long passed, and walk through all of it after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_projection_that_gets_nothing_says_how_far_it_has_looked() {
    let mut world = World::open().await;
    world.write_over(2, 10).await;
    let came = Came::default();
    let rare = Tag::new("rare").unwrap();
    let running = world
        .projections()
        .start(Projection::at_least_once("rare", rare, came.clone()))
        .await
        .unwrap();
    world
        .until("select read_to = 10 and handled = 0 from projection_range")
        .await;
    world.write_over(2, 5).await;
    world
        .until("select read_to = 15 and handled = 0 from projection_range")
        .await;
    running.stop().await.unwrap();
    assert!(came.0.borrow().is_empty());
}
