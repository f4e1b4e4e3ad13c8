//! Readers go through PgBouncer in transaction mode; what is written goes to the server.

use annals_persistence::{NewEvent, Payload, PersistenceId, SequenceNumber, Tags};
use annals_persistence::{WriteEvents, WriterId};
use annals_postgres::{ConnectError, Pool, TestPooler};
use annals_projection::{Projection, ProjectionError, Projections};
use annals_query::Queries;

use crate::seen::Seen;
use crate::world::{World, quick, tag};

#[tokio::test(flavor = "multi_thread")]
async fn every_event_counts_once_through_a_pooler() {
    let mut world = World::open().await;
    let pooler = TestPooler::lending(2, &world.settings).await.unwrap();
    let pooled = pooler.settings().clone();
    let pool = Pool::new(pooled.clone(), 4);
    // As in another process than that of the journal.
    let (_, commits) = tokio::sync::watch::channel(0);
    let query = Queries::start(&pooled, pool, commits).await.unwrap();
    world.write_over(3, 20).await;
    let projections = Projections::new(world.settings.clone(), query.clone());
    let projection = quick(Projection::exactly_once("seen", tag(), Seen::new()));
    let running = projections.start(projection.clone()).await.unwrap();
    world.until_seen(20).await;
    world.write_over(3, 300).await;
    world.until_seen(320).await;
    running.stop().await.unwrap();
    let running = projections.start(projection.in_groups_of(7)).await.unwrap();
    world.write_over(5, 100).await;
    let id = PersistenceId::of("Test", "large").unwrap();
    let event = NewEvent {
        tags: Tags::of(["t"]).unwrap(),
        ..NewEvent::from(Payload::text("x".repeat(1 << 20)))
    };
    let writer = WriterId::random();
    let write = WriteEvents::new(id, SequenceNumber::FIRST, writer, vec![event]);
    world.journal.write(write).await.unwrap();
    world.until_seen(421).await;
    running.stop().await.unwrap();
    world.assert_exact(421).await;

    let elsewhere = Projections::new(pooled, query);
    let refused = elsewhere
        .start(Projection::exactly_once("other", tag(), Seen::new()))
        .await;
    assert!(
        matches!(
            refused,
            Err(ProjectionError::Connect(ConnectError::Pooled { .. }))
        ),
        "{refused:?}"
    );
}
