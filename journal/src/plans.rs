//! The plan of each statement in each layout, kept in tests/plans. A change that is meant is written there
//! by `INSTA_UPDATE=always cargo test -p annals-journal --lib plans`, and read before it is committed.

use std::fmt::Write as _;
use std::num::NonZeroU64;

use annals_postgres::{
    Connection, Extent, JournalShape, Layout, MetadataKeeper, NewJournal, PARTITIONS_BY_ORDERING,
    TestDatabase, filled_journal, plan_of, plans_are_comparable, run_of,
};

use crate::statements::Statements;
use crate::{eraser, reader};

/// Partitions for a few persistence ids, and one list for the others, as another program may make it.
const NESTED: &str = "
create table j_7 partition of journal for values in ('entity-7') partition by range (sequence_number);
create table j_7_0 partition of j_7 for values from (0) to (1000);
create table j_7_1 partition of j_7 for values from (1000) to (3000);
create table j_8 partition of journal for values in ('entity-8');
create table j_others partition of journal default";

async fn filled(
    journal: NewJournal,
    partitions: &str,
    fill: String,
) -> (TestDatabase, Connection, JournalShape) {
    let database = TestDatabase::create_as(&journal).await.unwrap();
    let connection = database.connect().await.unwrap();
    connection.batch_execute(partitions).await.unwrap();
    connection.batch_execute(&fill).await.unwrap();
    let shape = JournalShape::read(&connection).await.unwrap();
    (database, connection, shape)
}

async fn by_ordering(partitions: u64) -> (TestDatabase, Connection, JournalShape) {
    let size = NonZeroU64::new(20_000 / partitions + 1).unwrap();
    filled(
        NewJournal::new(Layout::Ordering).partition_size(size),
        PARTITIONS_BY_ORDERING,
        filled_journal(200, 100),
    )
    .await
}

/// A statement by its name, with arguments that stand for others.
type Named = (&'static str, String, &'static str);

/// Those of sessions that read no table as a whole.
fn of_writers(shape: &JournalShape) -> Vec<Named> {
    let Statements {
        insert,
        look_up,
        catch_up,
        ..
    } = Statements::of(shape);
    let event = "array[1], array['x'], array['\\x00'::bytea], array['{}'], array['{}'::jsonb]";
    let write = "array[1], array['entity-7'], array[1], array[1], array['w']";
    let slice = "array['entity-7'], array[1], array[5], array[7], array[5]";
    let mut all = vec![("insert", insert, event), ("look up", look_up, write)];
    if shape.metadata != MetadataKeeper::Nobody {
        all.push(("catch up", catch_up, "array['entity-7']"));
    }
    all.push(("pending marks", eraser::sweeper::PENDING.to_owned(), "10"));
    all.push(("erase", eraser::sweeper::ERASE.to_owned(), slice));
    all
}

fn of_readers(shape: &JournalShape) -> Vec<Named> {
    let mut all = reader::statements(shape.layout, shape.extent());
    all.push(("mark deleted", eraser::MARK.to_owned(), "'entity-7', 5"));
    all
}

async fn compare(name: &str, connection: &Connection, shape: &JournalShape) {
    if !plans_are_comparable(connection).await.unwrap() {
        return;
    }
    let mut plans = String::new();
    for (whole, statements) in [("off", of_writers(shape)), ("on", of_readers(shape))] {
        let set = format!("set enable_seqscan = {whole}");
        connection.batch_execute(&set).await.unwrap();
        for (name, sql, arguments) in statements {
            let plan = plan_of(connection, &sql, arguments).await.unwrap();
            writeln!(plans, "{name}\n{plan}\n").unwrap();
        }
    }
    insta::with_settings!({
        snapshot_path => "../tests/plans",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, plans); });
}

#[tokio::test]
async fn flat() {
    let (_database, connection, shape) =
        filled(NewJournal::new(Layout::Flat), "", filled_journal(200, 100)).await;
    compare("flat", &connection, &shape).await;
}

#[tokio::test]
async fn flat_with_metadata() {
    let flat = NewJournal::new(Layout::Flat).keep_metadata();
    let (_database, connection, shape) = filled(flat, "", filled_journal(200, 100)).await;
    compare("flat_with_metadata", &connection, &shape).await;
}

#[tokio::test]
async fn ordering() {
    let (_database, connection, shape) = by_ordering(2).await;
    assert_eq!(shape.extent(), Extent::FromTo);
    compare("ordering", &connection, &shape).await;
}

#[tokio::test]
async fn ordering_adopted() {
    let (_database, connection, mut shape) = by_ordering(2).await;
    shape.metadata_complete = false;
    assert_eq!(shape.extent(), Extent::From);
    compare("ordering_adopted", &connection, &shape).await;
}

#[tokio::test]
async fn nested() {
    let (_database, connection, shape) = filled(
        NewJournal::new(Layout::Nested),
        NESTED,
        filled_journal(10, 2000),
    )
    .await;
    compare("nested", &connection, &shape).await;
}

/// Of the partitions of a plan that were looked into, how many.
fn looked_into(run: &str) -> usize {
    let scans = run.lines().filter(|line| line.contains(" on j_"));
    let mut partitions: Vec<&str> = scans
        .filter(|line| !line.contains("never executed"))
        .filter_map(|line| line.split(" on j_").nth(1)?.split_whitespace().next())
        .collect();
    partitions.sort_unstable();
    partitions.dedup();
    partitions.len()
}

/// Of 50 partitions each of these histories lives in one.
#[tokio::test]
async fn of_many_partitions_those_are_read_in_which_a_history_lives() {
    let (_database, connection, shape) = by_ordering(50).await;
    for (name, sql, arguments) in reader::statements(shape.layout, shape.extent()) {
        if name == "deleted rows" {
            continue;
        }
        let run = run_of(&connection, &sql, arguments).await.unwrap();
        let looked_into = looked_into(&run);
        assert!(looked_into <= 3, "{name}: {looked_into} partitions\n{run}");
    }
    let look_up = Statements::of(&shape).look_up;
    for (id, most) in [("entity-199", 2), ("entity-7", 50)] {
        let arguments = format!("array[1], array['{id}'], array[1], array[1], array['w']");
        let run = run_of(&connection, &look_up, &arguments).await.unwrap();
        let looked_into = looked_into(&run);
        assert!(looked_into <= most, "{id}: {looked_into} partitions\n{run}");
    }
    // Where metadata may lie behind the events, what comes behind it is looked at.
    let adopted = reader::statements(shape.layout, Extent::From);
    let (_, whole, _) = &adopted[1];
    for (id, partitions) in [("entity-199", 1..=2), ("entity-101", 20..=27)] {
        let arguments = format!("array['{id}'], array[1]");
        let run = run_of(&connection, whole, &arguments).await.unwrap();
        let looked_into = looked_into(&run);
        assert!(
            partitions.contains(&looked_into),
            "{id}: {looked_into}\n{run}"
        );
    }
}
