use super::world::{Outcome, World};

#[tokio::test]
async fn one_run_at_a_time_works_on_a_journal() {
    let world = World::by_ordering().await;
    let mut open = world.database.connect().await.unwrap();
    let transaction = open.transaction().await.unwrap();
    transaction
        .batch_execute("select from j_1 limit 1")
        .await
        .unwrap();
    let mut first = world.command("detach", &["--wait", "60000", "j_1"]);
    let first = tokio::spawn(async move { Outcome::of(&mut first).await });
    world
        .until("select exists (select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()))")
        .await;
    for command in ["detach", "archive", "verify", "drop", "restore", "attach"] {
        world.ends(command, &["j_2"], 4, "another run").await;
    }
    world
        .ends(
            "run",
            &["--keep-partitions", "3", "--json"],
            4,
            "another run",
        )
        .await;
    // Those that change nothing do not mind.
    world.does("list", &[]).await;
    world.does("detach", &["--dry-run", "j_2"]).await;
    transaction.commit().await.unwrap();
    assert_eq!(first.await.unwrap().code, Some(0));
    world.does("detach", &["j_2"]).await;
}
