use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use annals_postgres::{PrivateServer, PrivateServerError, Settings, connect};

use crate::waiting::until;

fn process_of(data: &Path) -> String {
    let file = fs::read_to_string(data.join("postmaster.pid")).unwrap();
    file.lines().next().unwrap().to_owned()
}

fn is_alive(pid: &str) -> bool {
    Command::new("kill")
        .args(["-0", pid])
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

async fn stopped(pid: &str, room: &Path) {
    until("the server and its folder are gone", || async {
        !is_alive(pid) && !room.exists()
    })
    .await;
}

/// The example program, which cargo builds with the tests.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples/private_server")
}

/// A process that owns a private server, and the URL of it.
fn owner(command: &mut Command) -> (Child, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut url)
        .unwrap();
    assert!(!url.is_empty(), "the owner did not start a server");
    (child, url.trim().to_owned())
}

fn room_of(url: &str) -> PathBuf {
    url.split_once("?host=").unwrap().1.into()
}

#[tokio::test]
async fn it_starts_serves_and_leaves_nothing() {
    let server = PrivateServer::builder()
        .durable(false)
        .settings([("work_mem", "7MB")])
        .start()
        .await
        .unwrap();
    assert_eq!(
        server.url(),
        format!(
            "postgresql://postgres@/annals?host={}",
            server.socket_dir().display()
        )
    );
    let client = connect(&Settings::parse(&server.url()).unwrap())
        .await
        .unwrap();
    let row = client
        .query_one("select current_setting('work_mem'), current_setting('listen_addresses'), current_database()::text", &[])
        .await
        .unwrap();
    assert_eq!((row.get(0), row.get(1), row.get(2)), ("7MB", "", "annals"));
    let (room, pid) = (
        server.socket_dir().to_owned(),
        process_of(&server.socket_dir().join("pgdata")),
    );
    assert_eq!(
        fs::metadata(&room).unwrap().mode() & 0o777,
        0o700,
        "nobody else may use a socket that trusts"
    );
    server.stop().await.unwrap();
    assert!(!is_alive(&pid) && !room.exists());
}

#[tokio::test]
async fn dropping_it_stops_it() {
    let server = PrivateServer::builder()
        .durable(false)
        .start()
        .await
        .unwrap();
    let (room, pid) = (
        server.socket_dir().to_owned(),
        process_of(&server.socket_dir().join("pgdata")),
    );
    drop(server);
    stopped(&pid, &room).await;
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing() {
    let start = PrivateServer::builder()
        .durable(false)
        .settings([("work_mem", "11MB")])
        .start();
    let start = tokio::spawn(start);
    let keeper = || async { keeper_with("work_mem=11MB").is_some() };
    until("the keeper is there", keeper).await;
    let room = keeper_with("work_mem=11MB").unwrap();
    // In the middle of initdb.
    start.abort();
    assert!(start.await.unwrap_err().is_cancelled());
    until("the keeper is gone", || async {
        keeper_with("work_mem=11MB").is_none()
    })
    .await;
    assert!(!room.exists());
}

/// The folder of the private server that has this among its arguments.
fn keeper_with(argument: &str) -> Option<PathBuf> {
    let listing = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    let line = listing.lines().find(|it| it.contains(argument))?;
    line.split_whitespace()
        .find(|it| it.starts_with("/tmp/annals-"))
        .map(PathBuf::from)
}

#[tokio::test]
async fn what_was_committed_survives_a_crash() {
    let server = PrivateServer::builder()
        .durable(false)
        .start()
        .await
        .unwrap();
    let client = connect(&server.settings()).await.unwrap();
    client
        .batch_execute(
            "create table kept (n int); insert into kept select generate_series(1, 1000)",
        )
        .await
        .unwrap();
    client
        .batch_execute("begin; insert into kept values (-1)")
        .await
        .unwrap();
    for _ in 0..2 {
        server.stop_immediately().await.unwrap();
        connect(&server.settings()).await.unwrap_err();
        server.restart().await.unwrap();
        let client = connect(&server.settings()).await.unwrap();
        let row = client
            .query_one("select count(*), min(n) from kept", &[])
            .await
            .unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i32>(1)), (1000, 1));
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn databases_can_be_copied() {
    let server = PrivateServer::builder()
        .durable(false)
        .start()
        .await
        .unwrap();
    let template = server.create_database("it's a \"template\"").await.unwrap();
    let client = connect(&template).await.unwrap();
    client
        .batch_execute("create table t as select 42 as n")
        .await
        .unwrap();
    // Not closed in advance: the copy waits for the session to go.
    drop(client);
    let copy = server
        .create_database_from("copy", "it's a \"template\"")
        .await
        .unwrap();
    let client = connect(&copy).await.unwrap();
    assert_eq!(
        client
            .query_one("select n from t", &[])
            .await
            .unwrap()
            .get::<_, i32>(0),
        42
    );
    let error = server.create_database("copy").await.unwrap_err();
    assert!(
        matches!(error, PrivateServerError::Sql { .. }) && error.to_string().contains("copy"),
        "{error}"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_kept_folder_keeps_and_is_waited_for() {
    let parent = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
    open_to_all(parent.path());
    let folder = parent.path().join("kept");
    let start = || {
        PrivateServer::builder()
            .data(Some(folder.clone()))
            .durable(false)
            .start()
    };

    let first = start().await.unwrap();
    let client = connect(&first.settings()).await.unwrap();
    client
        .batch_execute("create table kept as select 1 as n")
        .await
        .unwrap();
    let room = first.socket_dir().to_owned();
    // Stops by itself while the next one starts.
    drop(first);

    let second = start().await.unwrap();
    assert_ne!(second.socket_dir(), room);
    let client = connect(&second.settings()).await.unwrap();
    assert_eq!(
        client
            .query_one("select n from kept", &[])
            .await
            .unwrap()
            .get::<_, i32>(0),
        1
    );

    // Killed with its owner's pipe still open, then the owner goes: a crash in every respect.
    let pid = process_of(&folder.join("pgdata"));
    assert!(
        Command::new("kill")
            .args(["-KILL", &pid])
            .status()
            .unwrap()
            .success()
    );
    drop(second);
    let third = start().await.unwrap();
    let client = connect(&third.settings()).await.unwrap();
    assert_eq!(
        client
            .query_one("select n from kept", &[])
            .await
            .unwrap()
            .get::<_, i32>(0),
        1
    );

    let error = start().await.unwrap_err();
    assert!(
        matches!(error, PrivateServerError::InUse { .. }),
        "{error:?}"
    );
    third.stop().await.unwrap();
    assert!(folder.join("pgdata/PG_VERSION").exists());
}

fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_folder_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "years of work").unwrap();
    let start = PrivateServer::builder()
        .data(Some(folder.path().to_owned()))
        .start();
    let error = start.await.unwrap_err();
    assert!(
        matches!(&error, PrivateServerError::NotOurs { found, .. } if found == "thesis.tex"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_setting_that_does_not_exist_is_shown_with_the_log() {
    let start = PrivateServer::builder()
        .durable(false)
        .settings([("colour", "blue")])
        .start();
    let error = start.await.unwrap_err();
    assert!(
        matches!(error, PrivateServerError::Died { .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("unrecognized configuration parameter \"colour\""),
        "{error}"
    );
}

#[tokio::test]
async fn programs_that_are_not_there_are_named() {
    let nowhere = Command::new(program())
        .env("ANNALS_POSTGRES_BIN", "/nowhere")
        .output()
        .unwrap();
    assert!(!nowhere.status.success());
    let said = String::from_utf8(nowhere.stderr).unwrap();
    assert!(
        said.contains("NoBinaries") && said.contains("/nowhere"),
        "{said}"
    );
}

#[tokio::test]
async fn it_dies_with_an_owner_that_is_killed() {
    let (mut owner, url) = owner(&mut Command::new(program()));
    let room = room_of(&url);
    let pid = process_of(&room.join("pgdata"));
    assert!(connect(&Settings::parse(&url).unwrap()).await.is_ok());
    owner.kill().unwrap();
    owner.wait().unwrap();
    stopped(&pid, &room).await;
}

#[tokio::test]
async fn a_kept_folder_is_there_again_after_its_owner_was_killed() {
    let parent = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
    open_to_all(parent.path());
    let folder = parent.path().join("kept");
    let start = || owner(Command::new(program()).arg(&folder));
    let (mut first, url) = start();
    let client = connect(&Settings::parse(&url).unwrap()).await.unwrap();
    client
        .batch_execute("insert into tags (name) values ('vip')")
        .await
        .unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    // At once, while the first server is still shutting down.
    let (mut second, url) = start();
    let client = connect(&Settings::parse(&url).unwrap()).await.unwrap();
    assert_eq!(
        client
            .query_one("select name from tags", &[])
            .await
            .unwrap()
            .get::<_, &str>(0),
        "vip"
    );
    second.kill().unwrap();
    second.wait().unwrap();
    let room = room_of(&url);
    until("the folder of the socket is gone", || async {
        !room.exists()
    })
    .await;
}

/// As root this is another user; as an ordinary user it is ourselves.
#[tokio::test]
async fn an_ordinary_user_can_have_one() {
    let place = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
    open_to_all(place.path());
    // The folder that cargo builds in may be closed to that user.
    let copy = place.path().join("private_server");
    fs::copy(program(), &copy).unwrap();
    let is_root = fs::metadata(place.path()).unwrap().uid() == 0;
    let mut command = Command::new(&copy);
    command.current_dir("/");
    let expected = if is_root {
        let output = Command::new("id").args(["-u", "nobody"]).output().unwrap();
        let uid: u32 = String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        command.uid(uid).gid(uid);
        uid
    } else {
        fs::metadata(place.path()).unwrap().uid()
    };
    let (mut owner, url) = owner(&mut command);
    let room = room_of(&url);
    assert_eq!(fs::metadata(room.join("pgdata")).unwrap().uid(), expected);
    let pid = process_of(&room.join("pgdata"));
    owner.kill().unwrap();
    owner.wait().unwrap();
    stopped(&pid, &room).await;
}
