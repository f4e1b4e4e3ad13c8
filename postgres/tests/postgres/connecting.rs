use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use annals_postgres::{
    ConnectError, Connection, PrivateServer, Role, Settings, TestDatabase, connect, connect_as,
};

use crate::waiting::{everything_it_says, until};

#[tokio::test]
async fn a_wrong_password_is_told_from_a_missing_server() {
    let mut rules = tempfile::Builder::new().tempfile_in("/tmp").unwrap();
    writeln!(
        rules,
        "local all postgres trust\nlocal all ann scram-sha-256\nlocal all old md5"
    )
    .unwrap();
    rules
        .as_file()
        .set_permissions(PermissionsExt::from_mode(0o644))
        .unwrap();
    let hba = rules.path().display().to_string();
    let server = PrivateServer::builder()
        .durable(false)
        .settings([("hba_file", hba)])
        .start()
        .await
        .unwrap();
    let administrator = connect(&server.settings()).await.unwrap();
    administrator
        .batch_execute("create role ann login password 'right'; create role zoe login")
        .await
        .unwrap();

    let as_user = |user: &str, password: &str| {
        let mut config = server.settings().config().clone();
        config.user(user);
        if !password.is_empty() {
            config.password(password);
        }
        Settings::from_config(config).unwrap()
    };
    assert!(connect(&as_user("ann", "right")).await.is_ok());
    for (user, password) in [
        ("ann", "hunter2"),
        ("ann", ""),
        ("zoe", ""),
        ("nobody", "hunter2"),
    ] {
        let error = connect(&as_user(user, password)).await.unwrap_err();
        assert!(
            matches!(&error, ConnectError::WrongPassword { user: named, .. } if named == user),
            "{error:?}"
        );
        assert!(!error.is_transient());
        let said = everything_it_says(&error);
        assert!(
            said.contains("pg_hba.conf")
                && said.contains("DATABASE_URL")
                && !said.contains("hunter2"),
            "{said}"
        );
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let free_port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for (url, address) in [
        (
            format!("postgresql://ann@127.0.0.1:{free_port}/journal"),
            format!("127.0.0.1:{free_port}"),
        ),
        (
            "postgresql://ann@/journal?host=/nowhere".to_owned(),
            "/nowhere/.s.PGSQL.5432".to_owned(),
        ),
        (
            "postgresql://ann@nowhere.invalid/journal".to_owned(),
            "nowhere.invalid:5432".to_owned(),
        ),
    ] {
        let error = connect(&Settings::parse(&url).unwrap()).await.unwrap_err();
        assert!(
            matches!(&error, ConnectError::ServerNotThere { .. }),
            "{error:?}"
        );
        assert!(
            error.to_string().contains(&address) && error.to_string().contains("DATABASE_URL"),
            "{error}"
        );
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    // Accepts, as the kernel does for a server that hangs, and never answers.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mute.local_addr().unwrap().port();
    let settings = Settings::parse(&format!(
        "postgresql://ann@127.0.0.1:{port}/journal?connect_timeout=1"
    ))
    .unwrap();
    let error = connect(&settings).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::NoAnswer { seconds: 2, .. }),
        "{error:?}"
    );
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let database = TestDatabase::create().await.unwrap();
    let error = connect(&database.settings().with_database("ghost"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ConnectError::NoSuchDatabase { database, .. } if database == "ghost"),
        "{error:?}"
    );
    assert!(error.to_string().contains("createdb ghost"), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn too_many_connections_are_told() {
    let database = TestDatabase::create().await.unwrap();
    let role = format!("crowd_{}", database.settings().database());
    let administrator = database.connect().await.unwrap();
    administrator
        .batch_execute(&format!("create role {role} login connection limit 0"))
        .await
        .unwrap();
    let mut config = database.settings().config().clone();
    let error = connect(&Settings::from_config(config.user(&role).clone()).unwrap())
        .await
        .unwrap_err();
    assert!(
        matches!(error, ConnectError::TooManyConnections { .. }),
        "{error:?}"
    );
    assert!(
        error.is_transient() && error.to_string().contains("max_connections"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_shuts_down_is_told() {
    let server = PrivateServer::builder()
        .durable(false)
        .start()
        .await
        .unwrap();
    // Keeps a smart shutdown waiting.
    let _session = connect(&server.settings()).await.unwrap();
    let postmaster =
        std::fs::read_to_string(server.socket_dir().join("pgdata/postmaster.pid")).unwrap();
    let pid = postmaster.lines().next().unwrap();
    assert!(
        Command::new("kill")
            .args(["-TERM", pid])
            .status()
            .unwrap()
            .success()
    );
    let settings = &server.settings();
    until("the server refuses", || async move {
        connect(settings).await.is_err()
    })
    .await;
    let error = connect(settings).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::ShuttingDown { .. }),
        "{error:?}"
    );
    assert!(error.is_transient());
}

#[tokio::test]
async fn only_readers_plan_for_each_execution() {
    let database = TestDatabase::create().await.unwrap();
    let mode = |connection: Connection| async move {
        connection
            .query_one("show plan_cache_mode", &[])
            .await
            .unwrap()
            .get::<_, String>(0)
    };
    assert_eq!(
        mode(
            connect_as(&database.settings(), Role::Reader)
                .await
                .unwrap()
        )
        .await,
        "force_custom_plan"
    );
    assert_eq!(
        mode(connect(&database.settings()).await.unwrap()).await,
        "auto"
    );
}

#[tokio::test]
async fn a_closed_connection_has_left_the_server() {
    let database = TestDatabase::create().await.unwrap();
    let observer = database.connect().await.unwrap();
    let connection = database.connect().await.unwrap();
    let pid: i32 = connection
        .query_one("select pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    connection.close().await;
    let (observer, pid) = (&observer, &pid);
    until("the session is gone", || async move {
        let alive = observer
            .query_one(
                "select count(*) from pg_stat_activity where pid = $1",
                &[pid],
            )
            .await
            .unwrap();
        alive.get::<_, i64>(0) == 0
    })
    .await;
}
