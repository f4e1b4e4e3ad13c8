use annals::{Offset, Options};
use annals_postgres::Layout;

use super::world::{Outcome, World};

impl World {
    /// Refused for that reason, and nothing has changed.
    async fn refuses(&self, partition: &str, reason: &str) {
        let content = self.content().await;
        self.ends("detach", &["--wait", "0", partition], 3, reason)
            .await;
        let dry = ["--wait", "0", "--dry-run", "--json", partition];
        self.ends("detach", &dry, 3, "\"result\": \"refused\"")
            .await;
        assert_eq!(self.content().await, content);
        assert_eq!(self.state(partition).await, "attached");
    }

    async fn lets_go(&self, partition: &str) {
        self.does("detach", &[partition]).await;
        self.does("attach", &[partition]).await;
    }
}

#[tokio::test]
async fn an_entity_that_needs_it_to_recover_keeps_a_partition() {
    for layout in [Layout::Ordering, Layout::Nested] {
        let world = World::of(layout).await;
        let partition = world.partitions[1].as_str();
        let id = "(select persistence_id from journal where ordering = 150)";
        // Of the ordering layout 10 to 19 lie in there, of the nested one 100 to 199.
        let last = format!(
            "(select max(sequence_number) from journal where persistence_id = {id} and tableoid = \
             (select tableoid from journal where ordering = 150))"
        );
        let reason = "no snapshot or deletion mark covers the events there of 1 persistence ids: ";
        world
            .sql(&format!(
                "update snapshot set sequence_number = {last} - 1 where persistence_id = {id}"
            ))
            .await;
        world.refuses(partition, reason).await;
        world
            .sql(&format!(
                "update snapshot set sequence_number = {last} where persistence_id = {id}"
            ))
            .await;
        world.lets_go(partition).await;

        world
            .sql(&format!(
                "delete from snapshot where persistence_id = {id}; \
            insert into journal_deletion (persistence_id, deleted_to) values ({id}, {last} - 1)"
            ))
            .await;
        world.refuses(partition, reason).await;
        world
            .sql(&format!("update journal_deletion set deleted_to = {last}"))
            .await;
        world.lets_go(partition).await;

        world.sql(&format!("delete from journal_deletion; \
            update journal set deleted = true where persistence_id = {id} and sequence_number <= {last}")).await;
        world.lets_go(partition).await;
    }
}

#[tokio::test]
async fn the_first_ten_are_named_and_all_are_counted() {
    let world = World::by_ordering().await;
    world.sql("delete from snapshot").await;
    world
        .refuses("j_0", "of 10 persistence ids: Account|0, Account|1, ")
        .await;
    world
        .sql("update journal set persistence_id = 'Other|' || ordering where ordering between 50 and 69")
        .await;
    let outcome = world.run("detach", &["j_0"]).await;
    assert!(
        outcome.said.contains("of 30 persistence ids: Account|0, "),
        "{outcome:?}"
    );
    assert!(outcome.said.contains("Account|9, …"), "{outcome:?}");
}

#[tokio::test]
async fn the_highest_number_of_an_id_stays_where_nothing_else_keeps_it() {
    for layout in [Layout::Ordering, Layout::Nested] {
        let world = World::of(layout).await;
        let partition = world.partitions[1].as_str();
        let id = "(select persistence_id from journal where ordering = 150)";
        world
            .sql(&format!(
                "create table kept as select * from journal_metadata where persistence_id = {id}; \
                 delete from journal_metadata where persistence_id = {id}"
            ))
            .await;
        // Later events keep it.
        world.lets_go(partition).await;
        let later = if layout == Layout::Ordering {
            "ordering >= 200"
        } else {
            "sequence_number >= 200"
        };
        world
            .sql(&format!(
                "delete from journal where persistence_id = {id} and {later}; \
            insert into snapshot values ({id}, 1000000, 1, '', '{{}}')"
            ))
            .await;
        let reason = "nothing else keeps the highest sequence number of 1 persistence ids";
        world.refuses(partition, reason).await;
        world
            .sql(
                "insert into journal_metadata (persistence_id, max_sequence_number, min_ordering, max_ordering) \
                 select persistence_id, max_sequence_number, min_ordering, max_ordering from kept",
            )
            .await;
        world.lets_go(partition).await;
    }
}

#[tokio::test]
async fn a_projection_that_has_not_passed_it_keeps_a_partition() {
    let world = World::by_ordering().await;
    world
        .sql(
            "insert into projection_version (projection, version) values ('totals', 2); \
             insert into projection_range (projection, version, first_slice, last_slice, read_to) \
             values ('totals', 2, 0, 511, 199), ('totals', 2, 512, 1023, 198)",
        )
        .await;
    world
        .refuses(
            "j_1",
            "1 projections have not passed it: totals (version 2)",
        )
        .await;
    world.lets_go("j_0").await;
    world
        .sql("update projection_version set entity_type = 'Account'")
        .await;
    world.refuses("j_1", "totals (version 2)").await;
    world
        .sql("update projection_version set entity_type = 'Order'")
        .await;
    world.lets_go("j_1").await;
    world
        .sql("update projection_version set entity_type = null; update projection_range set read_to = 199")
        .await;
    world.lets_go("j_1").await;
}

#[tokio::test]
async fn a_reader_that_has_not_passed_it_keeps_a_partition() {
    let world = World::by_ordering().await;
    let annals = Options::new(world.database.settings())
        .open()
        .await
        .unwrap();
    let declare = async |reader, offset| annals.declare_reader(reader, Offset::new(offset)).await;
    declare("warehouse", 198).await.unwrap();
    declare("search", 5).await.unwrap();
    world
        .refuses("j_1", "2 readers have not passed it: search, warehouse")
        .await;
    annals.withdraw_reader("search").await.unwrap();
    world
        .refuses("j_1", "1 readers have not passed it: warehouse")
        .await;
    declare("warehouse", 199).await.unwrap();
    annals.shutdown().await;
    world.lets_go("j_1").await;
}

#[tokio::test]
async fn an_open_transaction_that_touched_it_keeps_a_partition() {
    let world = World::by_ordering().await;
    let mut open = world.database.connect().await.unwrap();
    let transaction = open.transaction().await.unwrap();
    let touch = "select pg_backend_pid() from j_1 limit 1";
    let pid: i32 = transaction.query_one(touch, &[]).await.unwrap().get(0);
    let reason = format!("1 transactions that touched it are open: backend {pid}");
    world.refuses("j_1", &reason).await;

    let mut waiting = world.command("detach", &["--wait", "60000", "j_1"]);
    let waiting = tokio::spawn(async move { Outcome::of(&mut waiting).await });
    world
        .until("select exists (select from pg_stat_activity where application_name = 'annals partitions' and wait_event = 'PgSleep')")
        .await;
    transaction.commit().await.unwrap();
    let outcome = waiting.await.unwrap();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[tokio::test]
async fn a_reason_is_overruled_by_its_own_words() {
    let world = World::by_ordering().await;
    world
        .sql("insert into reader_position values ('warehouse', 5), ('search', 5)")
        .await;
    let forced = async |reason: &str, code: i32| {
        let arguments = ["--force", reason, "j_1"];
        world.ends("detach", &arguments, code, "j_1").await;
    };
    forced("yes", 3).await;
    forced("j_1: 2 readers have not passed it: search", 3).await;
    forced("j_1: 1 readers have not passed it: search, warehouse", 3).await;
    forced("j_1: 2 readers have not passed it: search, warehouse", 0).await;
    assert_eq!(world.state("j_1").await, "detached");
}

#[tokio::test]
async fn what_cannot_be_detached_is_told_before_anything_is_done() {
    let world = World::by_ordering().await;
    for (partition, reason) in [
        ("j_7", "j_7 is still written to: the next number is 751"),
        ("j_9", "is still written to"),
    ] {
        world.refuses(partition, reason).await;
        world
            .ends("detach", &["--force", reason, partition], 3, reason)
            .await;
    }
    world
        .sql("create table rest (like journal including all); alter table journal attach partition rest default")
        .await;
    world
        .refuses("j_0", "journal has a DEFAULT partition")
        .await;
    world.refuses("rest", "it has no range").await;
    world
        .sql("alter table journal detach partition rest; alter table j_0 rename to \"j\n0\"")
        .await;
    world.refuses("j\n0", "control character").await;

    let world = World::of(Layout::Nested).await;
    world
        .sql("create table whole (like journal including all); alter table journal attach partition whole for values in ('whole')")
        .await;
    world
        .refuses("whole", "only parts of a history leave")
        .await;
}
