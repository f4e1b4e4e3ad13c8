use std::time::{Duration, Instant};

use annals_postgres::{ConnectError, Pool, PoolError, PrivateServer, Reader, TestDatabase};
use futures::StreamExt;

use crate::waiting::until;

async fn pid(reader: &Reader<'_>) -> i32 {
    reader
        .query_one("select pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0)
}

/// Waits until the session is gone from the server.
async fn gone(database: &TestDatabase, pid: i32) {
    let observer = &database.connect().await.unwrap();
    until("the session is gone", || async move {
        observer
            .query("select from pg_stat_activity where pid = $1", &[&pid])
            .await
            .unwrap()
            .is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_connection_is_reused_with_its_statements() {
    let database = TestDatabase::create().await.unwrap();
    let pool = Pool::new(database.settings(), 1);
    let mut pids = Vec::new();
    for round in 1..=3_i64 {
        let reader = pool.get().await.unwrap();
        let statement = reader.prepared("select $1::int8 + 1").await.unwrap();
        let sum: i64 = reader
            .query_one(&statement, &[&round])
            .await
            .unwrap()
            .get(0);
        assert_eq!(sum, round + 1);
        let kept = reader
            .query_one(
                "select count(*) from pg_prepared_statements where statement like '%+ 1'",
                &[],
            )
            .await
            .unwrap();
        assert_eq!(kept.get::<_, i64>(0), 1, "prepared once");
        pids.push(pid(&reader).await);
    }
    assert!(pids.windows(2).all(|it| it[0] == it[1]), "{pids:?}");
    let reader = pool.get().await.unwrap();
    let mode: String = reader
        .query_one("show plan_cache_mode", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(mode, "force_custom_plan");
}

#[tokio::test]
async fn a_failed_statement_does_not_cost_the_connection() {
    let database = TestDatabase::create().await.unwrap();
    let pool = Pool::new(database.settings(), 1);
    let reader = pool.get().await.unwrap();
    let first = pid(&reader).await;
    reader.query("table ghost", &[]).await.unwrap_err();
    drop(reader);
    assert_eq!(pid(&pool.get().await.unwrap()).await, first);
}

#[tokio::test]
async fn a_killed_connection_is_replaced() {
    let database = TestDatabase::create().await.unwrap();
    let pool = Pool::new(database.settings(), 1);
    let killed = pid(&pool.get().await.unwrap()).await;
    let administrator = database.connect().await.unwrap();
    administrator
        .execute("select pg_terminate_backend($1)", &[&killed])
        .await
        .unwrap();
    gone(&database, killed).await;
    // The end of the socket and the next query race; the pool gives a new one at the latest then.
    let pool = &pool;
    until("a new connection", || async move {
        let reader = pool.get().await.unwrap();
        reader
            .query_one("select pg_backend_pid()", &[])
            .await
            .is_ok_and(|it| it.get::<_, i32>(0) != killed)
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_query_costs_the_next_user_nothing() {
    let database = TestDatabase::create().await.unwrap();
    let pool = Pool::new(database.settings(), 1);
    let reader = pool.get().await.unwrap();
    let first = pid(&reader).await;
    let cut_off = tokio::time::timeout(
        Duration::from_millis(100),
        reader.query("select pg_sleep(600)", &[]),
    )
    .await;
    assert!(cut_off.is_err());
    drop(reader);

    let begin = Instant::now();
    let second = pid(&pool.get().await.unwrap()).await;
    assert_ne!(second, first);
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "waited {:?} for somebody else's query",
        begin.elapsed()
    );
    // And the server does not go on with it.
    gone(&database, first).await;
}

#[tokio::test]
async fn a_stream_is_reused_at_its_end_only() {
    let database = TestDatabase::create().await.unwrap();
    let pool = Pool::new(database.settings(), 1);
    let none: [i32; 0] = [];

    let reader = pool.get_owned().await.unwrap();
    let first = pid(&reader).await;
    let rows = reader
        .query_raw("select generate_series(1, 1000)", none)
        .await
        .unwrap();
    assert_eq!(rows.count().await, 1000);
    drop(reader);

    let reader = pool.get_owned().await.unwrap();
    assert_eq!(pid(&reader).await, first);
    let mut rows = reader
        .query_raw("select generate_series(1, 100000000)", none)
        .await
        .unwrap();
    assert_eq!(rows.next().await.unwrap().unwrap().get::<_, i32>(0), 1);
    drop(rows);
    drop(reader);

    let begin = Instant::now();
    assert_ne!(pid(&pool.get().await.unwrap()).await, first);
    assert!(begin.elapsed() < Duration::from_secs(5));
    gone(&database, first).await;
}

#[tokio::test]
async fn a_transaction_is_read_only_over_one_snapshot() {
    let database = TestDatabase::create().await.unwrap();
    let writer = database.connect().await.unwrap();
    let pool = Pool::new(database.settings(), 1);
    let mut reader = pool.get().await.unwrap();
    let first = pid(&reader).await;
    let transaction = reader.transaction().await.unwrap();
    let count = "select count(*) from tags";
    assert_eq!(
        transaction
            .query_one(count, &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        0
    );
    writer
        .batch_execute("insert into tags (name) values ('new')")
        .await
        .unwrap();
    assert_eq!(
        transaction
            .query_one(count, &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        0
    );
    transaction.finish().await.unwrap();
    assert_eq!(
        reader.query_one(count, &[]).await.unwrap().get::<_, i64>(0),
        1
    );
    drop(reader);

    let mut reader = pool.get().await.unwrap();
    assert_eq!(pid(&reader).await, first);
    let transaction = reader.transaction().await.unwrap();
    transaction
        .execute("insert into tags (name) values ('x')", &[])
        .await
        .unwrap_err();
    drop(transaction);
    drop(reader);
    assert_ne!(
        pid(&pool.get().await.unwrap()).await,
        first,
        "after an error in a transaction"
    );
}

#[tokio::test]
async fn an_owned_reader_outlives_the_pool() {
    let database = TestDatabase::create().await.unwrap();
    let pool = Pool::new(database.settings(), 1);
    let reader = pool.get_owned().await.unwrap();
    drop(pool);
    let task = tokio::spawn(async move { pid(&reader).await });
    assert!(task.await.unwrap() > 0);
}

#[tokio::test]
async fn a_pool_in_full_use_says_so() {
    let database = TestDatabase::create().await.unwrap();
    let pool = Pool::with_max_wait(database.settings(), 2, Duration::from_millis(500));
    let _held = (pool.get().await.unwrap(), pool.get().await.unwrap());
    let error = pool.get().await.unwrap_err();
    let PoolError::AllInUse { size: 2, waited } = &error else {
        panic!("all are in use: {error:?}");
    };
    assert!(*waited >= Duration::from_millis(500), "{error:?}");
    let told = error.to_string();
    assert!(
        told.contains("pool of 2") && told.contains(&format!("{waited:.1?}")),
        "{told}"
    );
}

#[tokio::test]
async fn who_waits_gets_what_comes_back() {
    let database = TestDatabase::create().await.unwrap();
    let pool = Pool::new(database.settings(), 2);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pid(&pool.get().await.unwrap()).await })
        })
        .collect();
    let mut pids = std::collections::BTreeSet::new();
    for task in tasks {
        pids.insert(task.await.unwrap());
    }
    assert!(pids.len() <= 2, "{pids:?}");
}

#[tokio::test]
async fn a_refusal_for_good_is_told_at_once() {
    let database = TestDatabase::create().await.unwrap();
    let pool = Pool::with_max_wait(
        database.settings().with_database("ghost"),
        1,
        Duration::from_secs(600),
    );
    for _ in 0..3 {
        let error = pool.get().await.unwrap_err();
        assert!(
            matches!(&error, PoolError::Connect { source } if matches!(**source, ConnectError::NoSuchDatabase { .. })),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_again() {
    let server = PrivateServer::builder()
        .durable(false)
        .start()
        .await
        .unwrap();
    let pool = Pool::with_max_wait(server.settings(), 1, Duration::from_millis(500));
    assert!(pid(&pool.get().await.unwrap()).await > 0);
    server.stop_immediately().await.unwrap();
    let mut errors = Vec::new();
    while errors.len() < 3 {
        match pool.get().await {
            Err(error) => errors.push(error),
            // The socket of an idle connection may not have noticed yet.
            Ok(reader) => drop(reader.query_one("select 1", &[]).await.unwrap_err()),
        }
    }
    for error in errors {
        assert!(
            matches!(error, PoolError::ServerUnavailable { size: 1, .. }),
            "{error:?}"
        );
        assert!(
            error.to_string().contains("no PostgreSQL server answers"),
            "{error}"
        );
    }
    server.restart().await.unwrap();
    assert!(pid(&pool.get().await.unwrap()).await > 0);
    server.stop().await.unwrap();
}
