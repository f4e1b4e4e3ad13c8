//! The plan of each statement, kept in tests/plans. A change that is meant is written there by
//! `INSTA_UPDATE=always cargo test -p annals-snapshot --lib plans`, and read before it is committed.

use std::fmt::Write as _;

use annals_postgres::{TestDatabase, plan_of, plans_are_comparable};

use crate::{loader, saver};

const FILL: &str = "
insert into snapshot (persistence_id, sequence_number, created, snapshot, metadata)
select 'entity-' || e, n, 1, '', '{}' from generate_series(1, 200) as e, generate_series(1, 100) as n;
analyze snapshot";

/// Each statement by its name, with arguments that stand for others.
const STATEMENTS: [(&str, &str, &str); 3] = [
    (
        "newest",
        loader::NEWEST,
        "array['entity-7'], array[1], array[100], array[0], array[9]",
    ),
    (
        "save",
        saver::UPSERT,
        "array['x'], array[1], array[1], array['\\x00'::bytea], array['{}'::jsonb]",
    ),
    ("delete", saver::DELETE, "'entity-7', 1, 50, 0, 9"),
];

#[tokio::test]
async fn snapshots() {
    let database = TestDatabase::create().await.unwrap();
    let connection = database.connect().await.unwrap();
    connection.batch_execute(FILL).await.unwrap();
    if !plans_are_comparable(&connection).await.unwrap() {
        return;
    }
    let mut plans = String::new();
    for (name, sql, arguments) in STATEMENTS {
        let plan = plan_of(&connection, sql, arguments).await.unwrap();
        writeln!(plans, "{name}\n{plan}\n").unwrap();
    }
    insta::with_settings!({
        snapshot_path => "../tests/plans",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!("snapshots", plans); });
}
