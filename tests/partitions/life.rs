use annals::{Offset, Options, PersistenceId, QueryError, SequenceNumber};
use annals_postgres::Layout;
use futures::TryStreamExt;

use super::world::{HOSTILE, Outcome, World};

const BOUNDS: &str = "\
select string_agg(format('%s %s', c.relname, pg_get_expr(c.relpartbound, c.oid)), E'\\n' order by c.relname) \
from pg_class c where c.relispartition and c.relkind = 'r'";

#[tokio::test]
async fn what_left_the_journal_comes_back_as_it_was() {
    for layout in [Layout::Ordering, Layout::Nested] {
        let world = World::of(layout).await;
        let (content, bounds) = (world.content().await, world.one(BOUNDS).await);
        let leaving: Vec<&str> = world.partitions[..2].iter().map(String::as_str).collect();
        for (command, state) in [
            ("detach", "detached"),
            ("archive", "archived"),
            ("verify", "verified"),
            ("drop", "dropped"),
            ("restore", "restored"),
            ("attach", "attached"),
        ] {
            world.does(command, &leaving).await;
            for partition in &leaving {
                assert_eq!(world.state(partition).await, state);
            }
            if state != "attached" {
                assert_ne!(world.content().await, content);
            }
            world.does("list", &[]).await;
            if !["archive", "verify"].contains(&command) {
                world.ends(command, &leaving, 5, "").await;
            }
        }
        assert_eq!(world.content().await, content);
        assert_eq!(world.one(BOUNDS).await, bounds);
    }
}

#[tokio::test]
async fn every_name_that_a_table_can_have_is_right() {
    let world = World::of(Layout::Nested).await;
    let content = world.content().await;
    let long = format!("{}_1", HOSTILE[1]);
    assert_eq!(long.len(), 63);
    for command in ["detach", "archive", "verify", "drop", "restore", "attach"] {
        let said = world.does(command, &["--json", "--", &long]).await;
        assert!(said.contains(&long), "{said}");
    }
    assert_eq!(world.content().await, content);
}

/// What the table of states says of the past is enough for a reader to find it.
#[tokio::test]
async fn the_table_of_states_tells_where_events_went() {
    let world = World::by_ordering().await;
    for command in ["detach", "archive", "verify", "drop"] {
        world.does(command, &["j_1"]).await;
    }
    let told = world
        .one(
            "select row(state, parent, low, high, first_ordering, last_ordering, persistence_id, \
             first_sequence_number, last_sequence_number, row_count, last_write)::text from partition_life",
        )
        .await;
    let expected = "(dropped,journal,100,200,100,199,,10,20,100,1700000000199)";
    assert_eq!(told, expected);
    let archive = world.one("select archive from partition_life").await;
    assert_eq!(archive, world.archive(".dump").to_string_lossy());
}

/// Else it would read the table while it holds locks.
#[tokio::test]
async fn no_row_is_read_to_attach() {
    for layout in [Layout::Ordering, Layout::Nested] {
        let world = World::of(layout).await;
        let partition = world.partitions[1].as_str();
        for command in ["detach", "archive", "verify", "drop", "restore"] {
            world.does(command, &[partition]).await;
            if ["detach", "restore"].contains(&command) {
                let attach = "set client_min_messages = debug1; begin; do $$ begin execute ( \
                    select format('alter table %I attach partition %I %s', parent, partition, bound) from partition_life); \
                    end $$; rollback";
                let mut psql = tokio::process::Command::new("psql");
                let url = world.database.url();
                let said = Outcome::of(psql.args(["-X", "-c", attach, "-d", &url]))
                    .await
                    .said;
                assert!(
                    said.contains("is implied by existing constraints"),
                    "{said}"
                );
            }
        }
    }
}

/// From the moment in which they leave.
#[tokio::test(flavor = "multi_thread")]
async fn readers_are_told_what_they_lack_and_see_it_again() {
    for (layout, id) in [
        (Layout::Ordering, "Account|0"),
        (Layout::Nested, HOSTILE[0]),
    ] {
        let world = World::of(layout).await;
        let partition = world.partitions[0].as_str();
        let annals = Options::new(world.database.settings())
            .open()
            .await
            .unwrap();
        let id = PersistenceId::parse(id).unwrap();
        let read = async || {
            let (queries, first) = (annals.query(), SequenceNumber::FIRST);
            let by_tag = queries.current_events_by_tag("tag 2", Offset::start());
            let by_id = queries.current_events_by_persistence_id(&id, first, SequenceNumber::MAX);
            let by_tag: Result<Vec<_>, _> = by_tag.map_ok(|it| it.offset).try_collect().await;
            let by_id: Result<Vec<_>, _> = by_id.map_ok(|it| it.offset).try_collect().await;
            [by_tag, by_id]
        };
        let all = read().await.map(Result::unwrap);
        for command in ["detach", "archive", "verify", "drop", "restore"] {
            world.does(command, &[partition]).await;
            let noted = "select coalesce(archive, '') from partition_life";
            let noted = world.one(noted).await;
            for result in read().await {
                let Err(QueryError::Detached { archive, .. }) = result else {
                    panic!("{result:?} after {command}");
                };
                assert_eq!(archive.unwrap_or_default(), noted);
            }
        }
        world.does("attach", &[partition]).await;
        assert_eq!(read().await.map(Result::unwrap), all);
        annals.shutdown().await;
    }
}

#[tokio::test]
async fn a_detached_partition_is_attached_again_without_an_archive() {
    let world = World::by_ordering().await;
    let content = world.content().await;
    world.does("detach", &["j_3"]).await;
    world.does("attach", &["j_3"]).await;
    assert_eq!(world.content().await, content);
    assert_eq!(world.state("j_3").await, "attached");
}

#[tokio::test]
async fn an_archive_is_restored_into_another_database() {
    for layout in [Layout::Ordering, Layout::Nested] {
        let (from, to) = (World::of(layout).await, World::of(layout).await);
        let partition = from.partitions[0].as_str();
        let content = to.content().await;
        for world in [&from, &to] {
            world.does("detach", &[partition]).await;
        }
        from.does("archive", &[partition]).await;
        to.sql(
            "do $$ begin execute format('drop table %I', (select partition from partition_life)); end $$; \
             delete from partition_life; update tags set name = 'moved' where id = 2",
        )
        .await;
        let manifest = from.archive(".manifest.json");
        let name = manifest.file_name().unwrap().to_string_lossy();
        let key = name.strip_suffix(".manifest.json").unwrap();
        let folder = from.archives.path().to_string_lossy();
        let restore = ["--archive", key, "--from", &*folder];
        to.ends(
            "restore",
            &restore,
            3,
            "its tag 2 means \"tag 2\", and here \"moved\"",
        )
        .await;
        to.sql("update tags set name = 'tag 2' where id = 2").await;
        to.does("restore", &restore).await;
        to.does("attach", &[partition]).await;
        assert_eq!(to.content().await, content);
    }
}

#[tokio::test]
async fn a_pace_changes_nothing_but_the_time() {
    let world = World::by_ordering().await;
    // Several slices at a megabyte a second.
    world
        .sql("update journal set message = convert_to(repeat('x', 2000), 'UTF8') where ordering < 100")
        .await;
    let content = world.content().await;
    for pace in ["1", "0"] {
        for command in ["detach", "archive", "verify", "drop"] {
            world.does(command, &["j_0"]).await;
        }
        world.does("restore", &["--pace", pace, "j_0"]).await;
        world.does("attach", &["j_0"]).await;
        assert_eq!(world.content().await, content);
    }
    world
        .ends("attach", &["--pace", "1", "j_0"], 2, "no option --pace")
        .await;
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let world = World::by_ordering().await;
    let before = "select coalesce(jsonb_agg(to_jsonb(l)), '[]')::text from partition_life l";
    for command in ["detach", "archive", "verify", "drop", "restore", "attach"] {
        let (state, content) = (world.one(before).await, world.content().await);
        let said = world.does(command, &["--dry-run", "j_0", "--json"]).await;
        assert!(said.contains("\"result\": \"would\""), "{said}");
        assert_eq!(world.one(before).await, state);
        assert_eq!(world.content().await, content);
        world.does(command, &["j_0"]).await;
    }
}

#[tokio::test]
async fn wrong_usage_is_told_apart() {
    let world = World::by_ordering().await;
    for command in [
        "list", "detach", "archive", "verify", "drop", "restore", "attach", "run",
    ] {
        let said = world.does(command, &["--help"]).await;
        assert!(
            said.contains("exit codes") && said.contains(command),
            "{said}"
        );
        world.ends(command, &["--nonsense"], 2, "--nonsense").await;
    }
    world.ends("detach", &[], 2, "name a partition").await;
    world
        .ends("detach", &["j_99"], 1, "no partition \"j_99\"")
        .await;
    world
        .ends("detach", &["--wait", "soon", "j_0"], 2, "\"soon\"")
        .await;
    world.ends("archive", &["j_0"], 3, "it is attached").await;
    world.ends("drop", &["j_0"], 3, "it is attached").await;
    world.does("detach", &["j_0"]).await;
    world.ends("drop", &["j_0"], 3, "it is detached").await;
    world.ends("verify", &["j_0"], 3, "it is detached").await;
}

/// Whoever can see the list of processes reads their arguments.
#[tokio::test]
async fn a_password_is_no_argument() {
    let world = World::by_ordering().await;
    let (programs, told) = (
        tempfile::tempdir().unwrap(),
        tempfile::NamedTempFile::new().unwrap(),
    );
    let psql = programs.path().join("psql");
    let script = "#!/bin/sh\nprintf '%s\\n' \"$PGPASSWORD\" \"$@\" > \"$TOLD\"; exit 1\n";
    std::fs::write(&psql, script).unwrap();
    std::fs::set_permissions(&psql, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!(
        "{}:{}",
        programs.path().display(),
        std::env::var("PATH").unwrap()
    );
    let mut command = world.command("detach", &["j_0"]);
    let url = "postgresql://somebody:gehe%21m@127.0.0.1:1/nowhere";
    command
        .env("DATABASE_URL", url)
        .env("PATH", path)
        .env("TOLD", told.path());
    let outcome = Outcome::of(&mut command).await;
    assert_eq!(outcome.code, Some(1));
    assert!(!outcome.said.contains("gehe"), "{outcome:?}");
    let told = std::fs::read_to_string(told.path()).unwrap();
    let (password, arguments) = told.split_once('\n').unwrap();
    assert_eq!(password, "gehe!m");
    assert!(
        arguments.contains("postgresql://somebody@127.0.0.1:1/nowhere"),
        "{arguments}"
    );
    assert!(!arguments.contains("gehe"), "{arguments}");
}

#[tokio::test]
async fn what_was_done_by_hand_is_noticed() {
    let world = World::by_ordering().await;
    let content = world.content().await;
    world.does("detach", &["j_0"]).await;
    world
        .sql("alter table journal attach partition j_0 for values from (0) to (100)")
        .await;
    world.ends("attach", &["j_0"], 5, "attached already").await;
    assert_eq!(world.state("j_0").await, "attached");
    world.sql("alter table journal detach partition j_0").await;
    world.does("archive", &["j_0"]).await;
    world
        .sql("create table copy as select * from j_0; drop table j_0")
        .await;
    world
        .ends("verify", &["j_0"], 5, "is dropped already")
        .await;
    world.sql("create table j_0 (like journal including all); insert into j_0 select * from copy offset 1").await;
    world
        .ends("attach", &["j_0"], 3, "rows is 98, and 99")
        .await;
    world.sql("drop table j_0").await;
    world.does("restore", &["j_0"]).await;
    world.does("attach", &["j_0"]).await;
    assert_eq!(world.content().await, content);
    world.does("detach", &["j_1"]).await;
    world.sql("drop table j_1").await;
    world
        .ends("archive", &["j_1"], 1, "nobody has archived it")
        .await;
}

#[tokio::test]
async fn a_journal_of_the_jvm_gets_the_table_of_states() {
    let world = World::by_ordering().await;
    world
        .sql("drop table partition_life, reader_position, projection_version, projection_range, \
              projection_member, projection_dead_letter, journal_deletion, annals_schema, journal_settings")
        .await;
    world.does("list", &[]).await;
    world.does("run", &["--keep-partitions", "6"]).await;
    assert_eq!(world.state("j_0").await, "dropped");
    let listed = world.does("list", &["--json"]).await;
    assert!(
        listed.lines().count() == 10 && listed.contains("\"state\": \"dropped\""),
        "{listed}"
    );
}
