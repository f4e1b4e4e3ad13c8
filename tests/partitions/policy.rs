use annals_postgres::Layout;

use super::world::World;

impl World {
    async fn attached(&self) -> String {
        self.one(
            "select string_agg(relname, ' ' order by relname) from pg_class \
             where relispartition and relkind = 'r' and relname like 'j%' and relname not like 'journal%'",
        )
        .await
    }
}

#[tokio::test]
async fn the_newest_partitions_are_kept() {
    let world = World::by_ordering().await;
    let policy = ["--keep-partitions", "3"];
    world
        .does("run", &[policy[0], policy[1], "--dry-run"])
        .await;
    world.does("run", &policy).await;
    // Beside those that are ahead.
    assert_eq!(world.attached().await, "j_5 j_6 j_7 j_8 j_9");
    assert_eq!(world.state("j_4").await, "dropped");
    world.ends("run", &policy, 5, "no partition is due").await;
    world
        .ends(
            "run",
            &["--keep-partitions", "1", "--keep-days", "9999"],
            5,
            "",
        )
        .await;
    world.does("run", &["--keep-days", "1"]).await;
    assert_eq!(world.attached().await, "j_7 j_8 j_9");
}

#[tokio::test]
async fn each_history_keeps_its_newest_partitions() {
    let world = World::of(Layout::Nested).await;
    world.does("run", &["--keep-partitions", "2"]).await;
    let kept = world
        .one("select string_agg(c, ' ') from (select count(*)::text from journal group by persistence_id) as k (c)")
        .await;
    assert_eq!(kept, "151 151");
    assert_eq!(
        world
            .one("select count(*)::text from partition_life where state = 'dropped'")
            .await,
        "6"
    );
}

#[tokio::test]
async fn what_is_still_needed_is_named_and_left() {
    let world = World::by_ordering().await;
    world.does("detach", &["j_0"]).await;
    world
        .sql(
            "update snapshot set sequence_number = 1 where persistence_id = 'Account|3'; \
              insert into journal_deletion (persistence_id, deleted_to) values ('Account|3', 25)",
        )
        .await;
    let policy = ["--keep-partitions", "3"];
    world.ends("run", &policy, 3, "Account|3").await;
    // j_0 was detached by somebody who may want to keep it.
    assert_eq!(world.state("j_0").await, "detached");
    assert_eq!(world.state("j_1").await, "dropped");
    assert_eq!(world.attached().await, "j_2 j_3 j_4 j_5 j_6 j_7 j_8 j_9");
    world
        .sql("update journal_deletion set deleted_to = 75")
        .await;
    world.does("run", &policy).await;
    assert_eq!(world.attached().await, "j_5 j_6 j_7 j_8 j_9");
}
