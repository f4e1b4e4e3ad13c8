use annals_postgres::Layout;

use super::world::{NOBODY_WORKS, Outcome, World};

/// Where a command kills itself on request, in their order.
const LEAVING: [(&str, &str); 9] = [
    ("detach", "detach-intent"),
    ("detach", "detach-done"),
    ("archive", "archive-dumped"),
    ("archive", "archive-renamed"),
    ("archive", "archive-manifest"),
    ("archive", "archive-written"),
    ("verify", "verify-poured"),
    ("drop", "drop-compared"),
    ("drop", "drop-done"),
];

const COMING_BACK: [(&str, &str); 4] = [
    ("restore", "restore-made"),
    ("restore", "restore-poured"),
    ("attach", "attach-done"),
    ("attach", "attach-committed"),
];

/// What the catalogue says of a partition and of the state that is noted of it.
fn is_true(state: &str, is: &str) -> bool {
    match is {
        "attached" => ["attached", "detaching", "restored"].contains(&state),
        "standing" => {
            ["detaching", "detached", "archived", "verified", "restored"].contains(&state)
        }
        _ => ["verified", "dropped"].contains(&state),
    }
}

#[tokio::test]
async fn a_killed_step_is_done_again_and_the_state_is_true() {
    for layout in [Layout::Ordering, Layout::Nested] {
        let world = World::of(layout).await;
        let content = world.content().await;
        let partition = world.partitions[1].as_str();
        let mut last = "";
        for (command, point) in LEAVING.into_iter().chain(COMING_BACK) {
            if last != command && !last.is_empty() {
                // One that was killed behind its last deed finds it done.
                let outcome = world.run(last, &[partition]).await;
                assert!(matches!(outcome.code, Some(0 | 5)), "{last}: {outcome:?}");
            }
            if point != "attach-committed" {
                world.is_killed(command, &[partition], point).await;
            }
            let is = world
                .one(&format!(
                    "select case when c.oid is null then 'gone' when c.relispartition then 'attached' else 'standing' end \
                     from (values (quote_ident({}))) as v (name) left join pg_class c on c.oid = to_regclass(name)",
                    quoted(partition)
                ))
                .await;
            let state = world.state(partition).await;
            assert!(is_true(&state, &is), "{state} and {is} after {point}");
            last = command;
        }
        world.does("attach", &[partition]).await;
        assert_eq!(world.content().await, content);
        assert_eq!(world.state(partition).await, "attached");
        let archived = std::fs::read_dir(world.archives.path()).unwrap().count();
        assert_eq!(archived, 3, "one archive, and nothing beside it");
    }
}

#[tokio::test]
async fn a_killed_policy_goes_on_where_it_was() {
    let world = World::by_ordering().await;
    let policy = ["--keep-partitions", "5"];
    for (_, point) in LEAVING {
        world.is_killed("run", &policy, point).await;
    }
    world.does("run", &policy).await;
    for partition in ["j_0", "j_1", "j_2"] {
        assert_eq!(world.state(partition).await, "dropped");
        for command in ["restore", "attach"] {
            world.does(command, &[partition]).await;
        }
    }
    assert_eq!(
        world.content().await,
        World::by_ordering().await.content().await
    );
}

/// Anywhere, also while a dump is written or read back; with what it has started, or alone.
#[tokio::test]
async fn a_policy_that_is_killed_at_any_moment_ends_well() {
    let world = World::of(Layout::Nested).await;
    let content = world.content().await;
    let policy = ["--keep-partitions", "1"];
    for round in 0..12 {
        let mut command = world.command("run", &policy);
        let mut child = command.process_group(0).spawn().unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(fastrand::u64(50..900))).await;
        if let Some(id) = child.id() {
            let whom = if round % 2 == 0 { "-" } else { "" };
            let kill = ["-KILL", "--", &format!("{whom}{id}")];
            // It may have ended by itself.
            tokio::process::Command::new("kill")
                .args(kill)
                .status()
                .await
                .unwrap();
        }
        child.wait().await.unwrap();
        world.until(NOBODY_WORKS).await;
    }
    let outcome = world.run("run", &policy).await;
    assert!(matches!(outcome.code, Some(0 | 5)), "{outcome:?}");
    let dropped = "select partition from partition_life where state = 'dropped'";
    let dropped = world.connection.query(dropped, &[]).await.unwrap();
    let dropped: Vec<&str> = dropped.iter().map(|it| it.get(0)).collect();
    assert_eq!(dropped.len(), 8);
    world.does("restore", &dropped).await;
    world.does("attach", &dropped).await;
    assert_eq!(world.content().await, content);
}

/// The statement goes on in its session until that ends; then PostgreSQL has half detached it.
#[tokio::test]
async fn a_detaching_that_was_interrupted_is_finished() {
    let world = World::by_ordering().await;
    let mut open = world.database.connect().await.unwrap();
    // With a snapshot, and without the partition itself: that one would be refused.
    let transaction = open.transaction().await.unwrap();
    transaction
        .batch_execute("set transaction isolation level repeatable read; lock table only journal in access share mode; select from tags")
        .await
        .unwrap();
    let pending = "select exists (select from pg_inherits where inhdetachpending)";
    for how in ["session", "script"] {
        let mut child = world.command("detach", &["j_2"]).spawn().unwrap();
        if how == "session" {
            world.until(pending).await;
            world
                .sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'annals partitions' and datname = current_database()")
                .await;
        } else {
            world
                .until("select exists (select from pg_stat_activity where application_name = 'annals partitions' and query like '%finalize%' and wait_event_type = 'Lock')")
                .await;
            child.start_kill().unwrap();
        }
        let outcome = child.wait().await.unwrap();
        assert!(!outcome.success());
        assert_eq!(world.state("j_2").await, "detaching");
        if how == "script" {
            // What it began holds the lock until it has ended.
            world.ends("detach", &["j_2"], 4, "another run").await;
        }
    }
    transaction.commit().await.unwrap();
    world.until(NOBODY_WORKS).await;
    let outcome: Outcome = world.run("detach", &["j_2"]).await;
    assert!(matches!(outcome.code, Some(0 | 5)), "{outcome:?}");
    assert_eq!(world.state("j_2").await, "detached");
    world.does("attach", &["j_2"]).await;
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
