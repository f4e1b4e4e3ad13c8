use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::world::{Outcome, World};

type Damage = fn(&Path);

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn truncate(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 7]).unwrap();
}

async fn verified() -> World {
    let world = World::by_ordering().await;
    for command in ["detach", "archive", "verify"] {
        world.does(command, &["j_1"]).await;
    }
    world
}

impl World {
    async fn keeps_its_table(&self) {
        assert_eq!(self.one("select count(*)::text from j_1").await, "100");
        assert_ne!(self.state("j_1").await, "dropped");
    }
}

#[tokio::test]
async fn a_damaged_archive_lets_nothing_go() {
    let damages: [(&str, Damage, &str); 7] = [
        (".dump", flip, "is damaged"),
        (".dump", truncate, "is damaged"),
        (".dump", |path| fs::remove_file(path).unwrap(), "is missing"),
        (".manifest.json", flip, "is damaged"),
        (
            ".manifest.json",
            |path| fs::write(path, "").unwrap(),
            "is damaged",
        ),
        (".sha256", flip, "is damaged"),
        (
            ".sha256",
            |path| fs::remove_file(path).unwrap(),
            "there is no archive",
        ),
    ];
    for (file, damage, told) in damages {
        let world = verified().await;
        damage(&world.archive(file));
        world.ends("drop", &["j_1"], 3, told).await;
        world.keeps_its_table().await;
        assert_eq!(world.state("j_1").await, "archived");
        world.ends("verify", &["j_1"], 3, told).await;
        world.ends("drop", &["j_1"], 3, "it is archived").await;
        // Made anew it is good again.
        for command in ["archive", "verify", "drop"] {
            world.does(command, &["j_1"]).await;
        }
        damage(&world.archive(file));
        world.ends("restore", &["j_1"], 3, told).await;
        assert_eq!(world.state("j_1").await, "dropped");
    }
}

/// Sums that were made to fit do not help.
#[tokio::test]
async fn an_archive_of_other_content_lets_nothing_go() {
    let world = verified().await;
    let (manifest, sums) = (world.archive(".manifest.json"), world.archive(".sha256"));
    let change = |from: &str, to: &str| {
        let text = fs::read_to_string(&manifest).unwrap();
        assert!(text.contains(from));
        fs::write(&manifest, text.replace(from, to)).unwrap();
        let script = "cd \"$1\" && sha256sum *.dump *.manifest.json > \"$2\"";
        let folder = world.archives.path();
        let status = std::process::Command::new("sh")
            .args(["-c", script, "sh"])
            .args([folder, &sums])
            .status();
        assert!(status.unwrap().success());
    };
    change("\"rows\": 100", "\"rows\": 99");
    world
        .ends("drop", &["j_1"], 3, "rows is 100, and 99 in the manifest")
        .await;
    world
        .ends("verify", &["j_1"], 3, "rows is 100, and 99 in the manifest")
        .await;
    change("\"rows\": 99", "\"rows\": 100");
    world.does("verify", &["j_1"]).await;
    change("\"id\": \"", "\"id\": \"1");
    world
        .ends("drop", &["j_1"], 3, "comes from another server")
        .await;
    world.keeps_its_table().await;
}

#[tokio::test]
async fn a_copy_of_the_database_drops_nothing() {
    let world = verified().await;
    let other = World::by_ordering().await;
    other.does("detach", &["j_1"]).await;
    let row = world
        .one("select to_jsonb(l)::text from partition_life l")
        .await;
    let copy = "delete from partition_life; insert into partition_life select * from jsonb_populate_record(null::partition_life, $row$";
    other.sql(&format!("{copy}{row}$row$)")).await;
    other
        .ends("drop", &["j_1"], 3, "comes from another database")
        .await;
    other.keeps_its_table().await;
}

#[tokio::test]
async fn a_table_that_was_written_to_stays() {
    let world = verified().await;
    world
        .sql("update j_1 set message = 'x' where ordering = 150")
        .await;
    world.ends("drop", &["j_1"], 3, "checksum is").await;
    world.keeps_its_table().await;
    world.ends("verify", &["j_1"], 3, "checksum is").await;
    world.ends("attach", &["j_1"], 3, "checksum is").await;
    for command in ["archive", "verify", "drop", "restore", "attach"] {
        world.does(command, &["j_1"]).await;
    }
    let text = "select convert_from(message, 'UTF8') from journal where ordering = 150";
    assert_eq!(world.one(text).await, "x");
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_archived() {
    let world = World::by_ordering().await;
    world.does("detach", &["j_1"]).await;
    let missing = world.archives.path().join("missing");
    let to = ["--to", &*missing.to_string_lossy(), "j_1"];
    world.ends("archive", &to, 1, "is missing").await;

    // No file may be larger than so many kibibytes, the dump or the manifest.
    for most in [0, 1, 2] {
        let limit = format!("trap '' XFSZ; ulimit -f {most}; exec \"$0\" \"$@\"");
        let script = world.command("archive", &["j_1"]);
        let script = script.as_std();
        let mut shell = tokio::process::Command::new("bash");
        shell.args(["-c", &limit]).arg(script.get_program());
        shell.args(script.get_args());
        shell.envs(
            script
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let outcome = Outcome::of(&mut shell).await;
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(
            outcome.said.contains("the dump failed") || outcome.said.contains("disk full"),
            "{outcome:?}"
        );
        assert_eq!(world.state("j_1").await, "detached");
        let left = fs::read_dir(world.archives.path()).unwrap();
        let left = left.map(|it| it.unwrap().path());
        assert!(
            !left
                .map(|it| it.display().to_string())
                .any(|it| it.contains(".sha256") || it.contains(".part"))
        );
    }
    world.does("archive", &["j_1"]).await;
}

#[tokio::test]
async fn a_hook_keeps_archives_and_gives_them_back() {
    let world = World::by_ordering().await;
    let content = world.content().await;
    let store = world.archives.path().join("it's a store");
    fs::create_dir(&store).unwrap();
    let hook = world.archives.path().join("hook");
    fs::write(
        &hook,
        "#!/bin/sh\nset -e\ncase $2 in put) cp \"$3\" \"$1/$4\" ;; get) cp \"$1/$3\" \"$4\" ;; esac\n",
    )
    .unwrap();
    let hook = format!("sh {} \"{}\"", hook.display(), store.display());
    world.does("detach", &["j_1"]).await;
    for command in ["archive", "verify", "drop", "restore"] {
        world
            .ends(command, &["j_1", "--hook", "false"], 1, "--hook")
            .await;
        world.does(command, &["j_1", "--hook", &hook]).await;
    }
    world.does("attach", &["j_1"]).await;
    assert_eq!(world.content().await, content);
    assert_eq!(fs::read_dir(store).unwrap().count(), 3);
}

/// In the place of the tools of PostgreSQL: dumps that lack their last bytes, and say that all is well.
const HALF: &str = r#"#!/usr/bin/env bash
. "$ANNALS_ROOT/scripts/lib/prerequisites.bash"
here=$(dirname "$0")
while read -r folder; do
  [ -x "$folder/pg_dump" ] && [ "$folder" != "$here" ] && break
done < <(postgres_folders)
case ${0##*/}\ $1 in
  pg_dump\ --format*)
    "$folder/pg_dump" "$@" >"$here/whole"
    head -c $(($(wc -c <"$here/whole") - 60)) "$here/whole"
    ;;
  *) exec "$folder/${0##*/}" "$@" ;;
esac
"#;

/// Sums and manifest are right then. Half a row once swallowed the end of the copy, and verify waited for ever.
#[tokio::test]
async fn half_a_dump_of_which_nobody_said_so_lets_nothing_go() {
    let world = World::by_ordering().await;
    world.does("detach", &["j_1"]).await;
    let tools = tempfile::tempdir().unwrap();
    for tool in ["pg_dump", "pg_restore"] {
        let path = tools.path().join(tool);
        fs::write(&path, HALF).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut archive = world.command("archive", &["j_1"]);
    archive
        .env("ANNALS_POSTGRES_BIN", tools.path())
        .env("ANNALS_ROOT", env!("CARGO_MANIFEST_DIR"));
    let archived = Outcome::of(&mut archive).await;
    assert_eq!(archived.code, Some(0), "{archived:?}");
    world.ends("verify", &["j_1"], 3, "cannot be read").await;
    world.ends("drop", &["j_1"], 3, "it is archived").await;
    world.keeps_its_table().await;

    // By tools that do what they say, it goes on.
    fs::remove_file(world.archive(".sha256")).unwrap();
    for command in ["archive", "verify", "drop", "restore", "attach"] {
        world.does(command, &["j_1"]).await;
    }
}
