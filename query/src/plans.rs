//! The plan of each statement in each layout, kept in tests/plans. A change that is meant is written there
//! by `INSTA_UPDATE=always cargo test -p annals-query --lib plans`, and read before it is committed.

use std::fmt::Write as _;
use std::num::NonZeroU64;

use annals_postgres::{
    Connection, JournalShape, Layout, NewJournal, PARTITIONS_BY_ORDERING, TestDatabase,
    filled_journal, plan_of, plans_are_comparable, run_of,
};
use annals_rows::events_by_persistence_id;

use crate::catch_up::selects::{TagFilter, Wanted};
use crate::{persistence_ids, tags, tail};

/// Each statement by its name, with arguments that stand for others.
fn statements(shape: &JournalShape) -> Vec<(&'static str, String, &'static str)> {
    let extent = shape.extent();
    let wanted = |tags| Wanted {
        tags,
        with_deleted: false,
    };
    let all = wanted(None);
    let tag = wanted(Some(TagFilter::One(1)));
    let expression = wanted(Some(TagFilter::Expression(String::new())));
    let all_with_deleted = Wanted {
        with_deleted: true,
        ..all.clone()
    };
    let by_id = events_by_persistence_id(&extent.join("$1"), &extent.within("known"));
    vec![
        (
            "events of a persistence id",
            by_id,
            "'entity-7', 1, 100, 50",
        ),
        ("events between", all.walk(), "100, 200, 50"),
        (
            "events between, with deleted ones",
            all_with_deleted.walk(),
            "100, 200, 50",
        ),
        ("events of a tag between", tag.walk(), "100, 200, 50, 1"),
        (
            "events of an expression between",
            expression.walk(),
            "100, 200, 50, '1&!2'",
        ),
        ("a sample of a tag", tag.sample(), "100, 12, 10, 1"),
        ("events of a tag", tag.find(), "100, 200, 50, 1"),
        (
            "events of an expression",
            expression.find(),
            "100, 200, 50, '1&!2'",
        ),
        ("orderings of a tag", tag.places(), "100, 200, 50, 1"),
        (
            "orderings of an expression",
            expression.places(),
            "100, 200, 50, '1&!2'",
        ),
        ("news", tail::NEWS.to_owned(), "100, 200, 50"),
        (
            "names of tags",
            tail::tag_names::LOOK_UP.to_owned(),
            "array[1, 2]",
        ),
        ("events by ordering", tag.fetch(), "array[107, 108]"),
        (
            "persistence ids by leaps",
            persistence_ids::LEAP.to_owned(),
            "'entity-5', 10, 100",
        ),
        (
            "persistence ids that are known",
            persistence_ids::KNOWN.to_owned(),
            "'entity-5', 10, 100",
        ),
        (
            "new persistence ids",
            persistence_ids::NEW.to_owned(),
            "100, 200, 10",
        ),
        ("numbers of tags", tags::LOOK_UP.to_owned(), "array['vip']"),
    ]
}

async fn filled(journal: NewJournal, partitions: &str) -> (TestDatabase, Connection, JournalShape) {
    let database = TestDatabase::create_as(&journal).await.unwrap();
    let connection = database.connect().await.unwrap();
    connection.batch_execute(partitions).await.unwrap();
    let fill = filled_journal(200, 100);
    connection.batch_execute(&fill).await.unwrap();
    let tags = "insert into tags (name) select 'tag-' || n from generate_series(1, 1000) as n; analyze tags";
    connection.batch_execute(tags).await.unwrap();
    let shape = JournalShape::read(&connection).await.unwrap();
    (database, connection, shape)
}

async fn by_ordering(partitions: u64) -> (TestDatabase, Connection, JournalShape) {
    let size = NonZeroU64::new(20_000 / partitions + 1).unwrap();
    let journal = NewJournal::new(Layout::Ordering).partition_size(size);
    filled(journal, PARTITIONS_BY_ORDERING).await
}

async fn compare(name: &str, connection: &Connection, shape: &JournalShape) {
    if !plans_are_comparable(connection).await.unwrap() {
        return;
    }
    let mut plans = String::new();
    for (name, sql, arguments) in statements(shape) {
        let plan = plan_of(connection, &sql, arguments).await.unwrap();
        writeln!(plans, "{name}\n{plan}\n").unwrap();
    }
    insta::with_settings!({
        snapshot_path => "../tests/plans",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, plans); });
}

#[tokio::test]
async fn flat() {
    let (_database, connection, shape) = filled(NewJournal::new(Layout::Flat), "").await;
    compare("flat", &connection, &shape).await;
}

#[tokio::test]
async fn ordering() {
    let (_database, connection, shape) = by_ordering(2).await;
    compare("ordering", &connection, &shape).await;
}

/// Of 50 partitions the window lies in one or two, and the history in one or two.
#[tokio::test]
async fn of_many_partitions_those_are_read_in_which_the_events_lie() {
    let (_database, connection, shape) = by_ordering(50).await;
    for (name, sql, arguments) in statements(&shape) {
        if name == "persistence ids by leaps" {
            continue;
        }
        let run = run_of(&connection, &sql, arguments).await.unwrap();
        let scans = run.lines().filter(|line| line.contains(" on j_"));
        let looked_into = scans.filter(|line| !line.contains("never executed"));
        assert!(looked_into.count() <= 2, "{name}\n{run}");
    }
}
