use annals_postgres::{ErrorClass, Settings, TestDatabase, classify};
use tokio_postgres::NoTls;

async fn class_of(database: &TestDatabase, sql: &str) -> ErrorClass {
    let error = database
        .connect()
        .await
        .unwrap()
        .batch_execute(sql)
        .await
        .expect_err(sql);
    classify(&error)
}

const ROW: &str = "insert into journal (persistence_id, sequence_number, message, metadata) values ('a', 1, '', '{}');";

#[tokio::test]
async fn what_the_server_says_about_a_statement() {
    let database = TestDatabase::create().await.unwrap();
    let primary_key = ErrorClass::Duplicate {
        constraint: "journal_pkey".to_owned(),
    };
    // A key of 12 kB that does not compress.
    let long_id = "insert into journal (persistence_id, sequence_number, message, metadata)
        select string_agg(md5(i::text), ''), 1, '', '{}' from generate_series(1, 400) i";
    let cases = [
        (format!("{ROW} {ROW}"), primary_key),
        (
            "insert into snapshot (persistence_id) values ('a')".to_owned(),
            ErrorClass::Refused,
        ),
        (
            ROW.replace("'a', 1", "'a', 99999999999999999999"),
            ErrorClass::Refused,
        ),
        (ROW.replace("'{}'", "'no json'"), ErrorClass::Refused),
        (
            "do $$ begin raise exception 'no'; end $$".to_owned(),
            ErrorClass::Refused,
        ),
        (long_id.to_owned(), ErrorClass::Refused),
        (format!("begin read only; {ROW}"), ErrorClass::ReadOnly),
        ("table ghost".to_owned(), ErrorClass::Missing),
        ("select ghost from journal".to_owned(), ErrorClass::Missing),
        ("create table ghost.it ()".to_owned(), ErrorClass::Missing),
        (
            "set role pg_monitor; table journal".to_owned(),
            ErrorClass::Denied,
        ),
        ("selec".to_owned(), ErrorClass::Other),
        (
            "set statement_timeout = 1; select pg_sleep(60)".to_owned(),
            ErrorClass::Other,
        ),
    ];
    for (sql, class) in cases {
        assert_eq!(class_of(&database, &sql).await, class, "{sql}");
    }
}

#[tokio::test]
async fn a_value_that_only_the_server_can_refuse() {
    let database = TestDatabase::create().await.unwrap();
    let client = database.connect().await.unwrap();
    let error = client
        .execute("insert into tags (name) values ($1)", &[&"a\0b"])
        .await
        .unwrap_err();
    assert_eq!(classify(&error), ErrorClass::Refused, "{error:?}");
}

#[tokio::test]
async fn a_lost_connection_leaves_the_outcome_unknown() {
    let database = TestDatabase::create().await.unwrap();
    let client = database.connect().await.unwrap();
    let last_words = client
        .batch_execute("select pg_terminate_backend(pg_backend_pid())")
        .await
        .unwrap_err();
    assert_eq!(
        classify(&last_words),
        ErrorClass::ConnectionLost,
        "{last_words:?}"
    );
    let afterwards = client.batch_execute("select 1").await.unwrap_err();
    assert_eq!(
        classify(&afterwards),
        ErrorClass::ConnectionLost,
        "{afterwards:?}"
    );

    // The timeout strikes between two statements, so the error comes with the second.
    let client = database.connect().await.unwrap();
    client
        .batch_execute("set idle_in_transaction_session_timeout = 1; begin")
        .await
        .unwrap();
    let mut error = None;
    while error.is_none() {
        error = client.batch_execute("").await.err();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(classify(&error.unwrap()), ErrorClass::ConnectionLost);
}

#[tokio::test]
async fn what_may_succeed_when_sent_again() {
    let database = TestDatabase::create().await.unwrap();
    let (one, two) = (
        database.connect().await.unwrap(),
        database.connect().await.unwrap(),
    );
    one.batch_execute("insert into tags (name) values ('a'), ('b')")
        .await
        .unwrap();

    one.batch_execute("begin; update tags set name = 'c' where name = 'a'")
        .await
        .unwrap();
    let busy = two
        .batch_execute("select from tags where name = 'a' for update nowait")
        .await
        .unwrap_err();
    assert_eq!(classify(&busy), ErrorClass::Retryable, "{busy:?}");

    two.batch_execute("begin isolation level repeatable read; select from tags")
        .await
        .unwrap();
    one.batch_execute("commit").await.unwrap();
    let overtaken = two
        .batch_execute("update tags set name = 'd' where name = 'a'")
        .await
        .unwrap_err();
    assert_eq!(classify(&overtaken), ErrorClass::Retryable, "{overtaken:?}");
    two.batch_execute("rollback").await.unwrap();

    one.batch_execute("begin; update tags set name = 'x' where name = 'b'")
        .await
        .unwrap();
    two.batch_execute("begin; update tags set name = 'y' where name = 'c'")
        .await
        .unwrap();
    let (left, right) = tokio::join!(
        one.batch_execute("update tags set name = 'x2' where name = 'c'"),
        two.batch_execute("update tags set name = 'y2' where name = 'b'"),
    );
    let deadlock = left.and(right).unwrap_err();
    assert_eq!(classify(&deadlock), ErrorClass::Retryable, "{deadlock:?}");
}

#[tokio::test]
async fn a_server_that_is_full() {
    let database = TestDatabase::create().await.unwrap();
    let role = format!("full_{}", database.settings().database());
    let administrator = database.connect().await.unwrap();
    administrator
        .batch_execute(&format!("create role {role} login connection limit 0"))
        .await
        .unwrap();
    let mut config = database.settings().config().clone();
    let full = Settings::from_config(config.user(&role).clone()).unwrap();
    let error = full.config().connect(NoTls).await.err().unwrap();
    assert_eq!(classify(&error), ErrorClass::ServerBusy, "{error:?}");
}
