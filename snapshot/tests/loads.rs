//! Loads that wait share queries.

use annals_persistence::{
    Payload, PersistenceId, SelectedSnapshot, SnapshotCriteria, SnapshotError, Timestamp,
};
use futures::future::{BoxFuture, join_all};

use crate::hold::Hold;
use crate::store::{Store, id, number, snapshot};

/// As many as the store has.
const READERS: u32 = 4;

/// One for each reader and one for who saves.
const CONNECTIONS: u32 = READERS + 1;

/// A snapshot that was asked for.
type Asked = BoxFuture<'static, Result<Option<SelectedSnapshot>, SnapshotError>>;

/// Asks and does not wait: what is asked for later arrives later.
async fn ask(store: &Store, persistence_id: PersistenceId, criteria: SnapshotCriteria) -> Asked {
    let snapshots = store.snapshots.clone();
    let mut asked: Asked = Box::pin(async move { snapshots.load(&persistence_id, criteria).await });
    assert!(futures::poll!(&mut asked).is_pending());
    asked
}

async fn newest(store: &Store, persistence_id: impl Into<String>) -> Asked {
    ask(store, id(persistence_id), SnapshotCriteria::latest()).await
}

/// Every reader waits with a load of its own: what is asked for from now on gathers.
struct Gathering {
    hold: Hold,
    busy: Vec<Asked>,
}

impl Gathering {
    async fn begin(store: &Store) -> Self {
        let hold = Hold::on_loads(store).await;
        let mut busy = Vec::new();
        for reader in 1..=READERS {
            busy.push(newest(store, format!("busy-{reader}")).await);
            hold.holds_at_least(reader).await;
        }
        Self { hold, busy }
    }

    /// Returns once all that was asked for has gathered: what is saved behind it waits.
    async fn gathered(&self, store: &Store) {
        store.snapshots.save_aside(snapshot(&id("mark"), 1, "mark"));
        self.hold.holds_at_least(READERS + 1).await;
    }

    /// Lets all go on.
    async fn end(self) {
        self.hold.release().await;
        for busy in self.busy {
            assert_eq!(busy.await.unwrap(), None);
        }
    }
}

/// Entities of which each has as many snapshots as its number says, one every ten events.
async fn fill(store: &Store, entities: i64) {
    let fill = format!(
        "insert into snapshot (persistence_id, sequence_number, created, snapshot, metadata) \
         select 'entity-' || e, 10 * n, 1000 * n, convert_to(e || '/' || n, 'UTF8'), '{{\"sid\": 20}}' \
         from generate_series(1, {entities}) as e, generate_series(1, e) as n; \
         analyze snapshot"
    );
    store.run(&fill).await;
}

const STATEMENTS: &str =
    "select xact_commit from pg_stat_database where datname = current_database()";

const READ: &str = "\
select array[seq_scan, idx_tup_fetch] from pg_stat_user_tables where relname = 'snapshot'";

#[tokio::test(flavor = "multi_thread")]
async fn loads_that_wait_become_few_statements_and_each_gets_what_it_wants() {
    let store = Store::with_connections(CONNECTIONS).await;
    fill(&store, 100).await;
    let gathering = Gathering::begin(&store).await;
    let mut loads = Vec::new();
    for entity in 0..=100 {
        let name = format!("entity-{entity}");
        let newest = SnapshotCriteria::latest();
        let loaded = ask(&store, id(&name), newest).await;
        loads.push((entity, entity, loaded));
        let loaded = ask(&store, id(&name), newest.up_to(number(305))).await;
        loads.push((entity, entity.min(30), loaded));
        let early = newest.taken_until(Timestamp::from_millis(7000));
        loads.push((entity, entity.min(7), ask(&store, id(&name), early).await));
        let mut late = newest;
        late.min_sequence_number = number(501);
        let expected = if entity > 50 { entity } else { 0 };
        loads.push((entity, expected, ask(&store, id(&name), late).await));
    }
    gathering.gathered(&store).await;
    store.run("select pg_stat_reset()").await;
    gathering.end().await;
    for (entity, expected, loaded) in loads {
        let loaded = loaded.await.unwrap();
        let found = loaded.map(|it| (it.sequence_number, it.timestamp, it.payload));
        let expected = (expected > 0).then(|| {
            (
                number(10 * expected),
                Timestamp::from_millis(1000 * expected),
                Payload::text(format!("{entity}/{expected}")),
            )
        });
        assert_eq!(found, expected, "{entity}");
    }
    store.snapshots.drain().await;
    let statements: i64 = store.statistics(STATEMENTS).await;
    // 404 loads in batches of 64; the rest is what the test itself asks.
    assert!(statements < 100, "{statements} statements");
    let read: Vec<i64> = store.one(READ).await;
    assert_eq!(read[0], 0, "scans of the whole table");
    // One row a load, but to find an early one it passes over all that are later.
    let later: i64 = (7..=100).map(|entity| entity - 7).sum();
    assert!((300..450 + later).contains(&read[1]), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn loads_that_nobody_waits_for_any_more_are_not_read() {
    let store = Store::with_connections(CONNECTIONS).await;
    fill(&store, 100).await;
    let gathering = Gathering::begin(&store).await;
    let mut given_up = Vec::new();
    for entity in 1..=100 {
        given_up.push(newest(&store, format!("entity-{entity}")).await);
    }
    let awaited = newest(&store, "entity-50").await;
    gathering.gathered(&store).await;
    drop(given_up);
    store.run("select pg_stat_reset()").await;
    gathering.end().await;
    let awaited = awaited.await.unwrap().unwrap();
    assert_eq!(awaited.sequence_number, number(500));
    let read: Vec<i64> = store.statistics(READ).await;
    assert!(read[1] < 5, "{read:?}");
}

/// Stands for a damaged page or value: the server fails every query that comes upon it.
const DAMAGE: &str = "
create function is_intact(id text) returns boolean language plpgsql as $$
begin
    if id = 'entity-30' then
        raise exception 'a damaged page holds %', id;
    end if;
    return true;
end
$$;
alter table snapshot rename to stored;
create view snapshot as select * from stored where is_intact(persistence_id)";

/// Some have their answers already when the query fails, and are not asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_cannot_read_of_one_entity_fails_no_other() {
    let store = Store::with_connections(CONNECTIONS).await;
    fill(&store, 60).await;
    store.run(DAMAGE).await;
    let gathering = Gathering::begin(&store).await;
    let mut loads = Vec::new();
    for entity in 1..=60 {
        loads.push(newest(&store, format!("entity-{entity}")).await);
    }
    loads.push(newest(&store, "nobody").await);
    gathering.gathered(&store).await;
    gathering.end().await;
    for (entity, loaded) in (1..).zip(join_all(loads).await) {
        match loaded {
            Ok(Some(found)) => assert_eq!(found.sequence_number, number(10 * entity)),
            Ok(None) => assert_eq!(entity, 61),
            Err(SnapshotError::Unavailable { persistence_id, .. }) => {
                assert_eq!((entity, persistence_id), (30, id("entity-30")));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}
