//! Several processes: each is a start of its own, under a name of its own.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use annals_persistence::EventEnvelope;
use annals_projection::{Handled, Projection, TransactionHandler};
use tokio::sync::watch;
use tokio_postgres::Transaction;

use crate::seen::{Seen, note};
use crate::world::{World, quick, tag};

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_shared_whoever_comes_stops_or_dies() {
    let mut world = World::open().await;
    let projection = || {
        let seen = Projection::exactly_once("seen", tag(), Seen::new());
        quick(seen).over_ranges(8).in_groups_of(50)
    };
    let shares = |wanted: &str| {
        format!(
            "select coalesce(array_agg(n order by n)::text, '') = '{wanted}' from \
             (select count(*) as n from projection_range where leased_until > clock_timestamp() group by owner) as it"
        )
    };
    let one = world.projections().start(projection()).await.unwrap();
    world.until(&shares("{8}")).await;
    world.write_over(50, 500).await;
    let two = world.projections().start(projection()).await.unwrap();
    world.until(&shares("{4,4}")).await;
    world.write_over(50, 500).await;
    let three = world.projections().start(projection()).await.unwrap();
    world.until(&shares("{2,3,3}")).await;
    world.write_over(50, 500).await;
    drop(two);
    world.until(&shares("{4,4}")).await;
    world.write_over(50, 500).await;
    one.stop().await.unwrap();
    world.until(&shares("{8}")).await;
    world.write_over(50, 500).await;
    world.until_seen(2_500).await;
    three.stop().await.unwrap();
    world.assert_exact(2_500).await;
}

/// Stands still in its first call, with its row written.
struct Stalls {
    begun: watch::Sender<bool>,
    go_on: watch::Receiver<bool>,
}

impl TransactionHandler for Stalls {
    async fn handle(&self, event: &EventEnvelope, transaction: &Transaction<'_>) -> Handled {
        note(event, transaction).await?;
        self.begun.send_replace(true);
        self.go_on.clone().wait_for(|go_on| *go_on).await?;
        Ok(())
    }
}

/// What the process itself believes of its lease does not matter: the statement that saves the offset
/// refuses.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_range_was_taken_writes_nothing() {
    let mut world = World::open().await;
    world.write("a", 20).await;
    let (begun, mut stalled) = watch::channel(false);
    let (release, go_on) = watch::channel(false);
    let stalls = Projection::exactly_once("seen", tag(), Stalls { begun, go_on });
    // It speaks next in twelve seconds.
    let stalls = stalls.lease(Duration::from_secs(60));
    let one = world.projections().start(stalls).await.unwrap();
    stalled.wait_for(|begun| *begun).await.unwrap();
    world
        .sql
        .batch_execute(
            "delete from projection_member; \
             update projection_range set leased_until = clock_timestamp() - interval '1 second'",
        )
        .await
        .unwrap();
    let two = Projection::exactly_once("seen", tag(), Seen::new()).in_groups_of(3);
    let two = world.projections().start(quick(two)).await.unwrap();
    world.until_seen(20).await;
    release.send_replace(true);
    // It has found out, and let go of its transaction.
    world
        .until(
            "select count(*) = 0 from pg_stat_activity \
             where datname = current_database() and state like 'idle in transaction%'",
        )
        .await;
    one.stop().await.unwrap();
    two.stop().await.unwrap();
    world.assert_exact(20).await;
}

/// A process that stood still as a whole calls no handler once others may run its range.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stood_still_does_not_go_on_as_if_nothing_had_happened() {
    let mut world = World::open().await;
    world.write("a", 20).await;
    let (called, calls) = mpsc::channel();
    let (go_on, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let projection = Projection::at_least_once("calls", tag(), move |event: EventEnvelope| {
        called.send(event.offset.get()).unwrap();
        // Blocks its whole runtime: signs of life and all.
        blocked.lock().unwrap().recv().unwrap();
        std::future::ready(Ok(()))
    });
    let (projections, stop) = (world.projections(), watch::Sender::new(false));
    let mut stopped = stop.subscribe();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let running = projections.start(quick(projection)).await.unwrap();
            stopped.wait_for(|stop| *stop).await.unwrap();
            running.stop().await.unwrap();
        });
    });
    let calls = tokio::task::spawn_blocking(move || (calls.recv().unwrap(), calls));
    let (first, calls) = calls.await.unwrap();
    assert_eq!(first, 1);
    let (theirs, mut handled) = watch::channel(BTreeSet::new());
    let two = Projection::at_least_once("calls", tag(), move |event: EventEnvelope| {
        theirs.send_modify(|them| {
            them.insert(event.offset.get());
        });
        std::future::ready(Ok(()))
    });
    let two = world.projections().start(quick(two)).await.unwrap();
    let all = handled.wait_for(|them| them.len() == 20);
    tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .unwrap()
        .unwrap();
    for _ in 0..20 {
        go_on.send(()).unwrap();
    }
    stop.send_replace(true);
    tokio::task::spawn_blocking(|| thread.join().unwrap())
        .await
        .unwrap();
    two.stop().await.unwrap();
    assert_eq!(calls.try_iter().count(), 0, "it was called once");
    assert_eq!(
        world
            .one::<i64>("select read_to from projection_range")
            .await,
        20
    );
}
