//! Partitions that were taken out of the journal: nobody is given less without being told.

use std::num::NonZeroU64;

use annals_persistence::{
    EventStream, Offset, PersistenceId, QueryError, QueryRef, Selection, SequenceNumber, Tag,
};
use annals_postgres::{Layout, NewJournal, Pool, TestDatabase};

use crate::store::{METADATA, Writer, queries};
use crate::streams::{all, all_offsets, next, sequence_numbers, take_offsets, until_error};

struct Journal {
    _database: TestDatabase,
    writer: Writer,
    queries: QueryRef,
}

/// What the scripts write before they detach a partition, and the detaching.
fn take_out(partition: &str, parent: &str, divided_by: &str, id: Option<&str>) -> String {
    let id = id.map_or("null".to_owned(), |id| format!("'{id}'"));
    format!(
        "insert into partition_life (schema_name, partition, state, divided_by, parent, bound, persistence_id, \
           first_ordering, last_ordering, first_sequence_number, last_sequence_number) \
         select current_schema(), '{partition}', 'detached', '{divided_by}', '{parent}', '', {id}, \
           min(ordering), max(ordering), min(sequence_number), max(sequence_number) from {partition}; \
         alter table {parent} detach partition {partition}"
    )
}

impl Journal {
    async fn new(layout: Layout, partitions: &str) -> Self {
        let journal = NewJournal::new(layout).partition_size(NonZeroU64::new(10_000).unwrap());
        let database = TestDatabase::create_as(&journal).await.unwrap();
        let settings = database.settings();
        let writer = Writer::at(&settings).await;
        writer.run(partitions).await;
        Self {
            queries: queries(&settings, Pool::new(settings.clone(), 4)).await,
            writer,
            _database: database,
        }
    }

    /// Partitions of 10,000 events. The odd offsets are those of 'odd', the even ones of 'even', which all
    /// have the tag "even"; each fiftieth has the tag "rare".
    async fn by_ordering(events: u32) -> Self {
        let partitions = "create table j_0 partition of journal for values from (0) to (10000); \
             create table j_1 partition of journal for values from (10000) to (20000); \
             create table j_2 partition of journal for values from (20000) to (30000)";
        let journal = Self::new(Layout::Ordering, partitions).await;
        let (even, rare) = (
            journal.writer.tag("even").await,
            journal.writer.tag("rare").await,
        );
        let fill = format!(
            "insert into journal (ordering, persistence_id, sequence_number, tags, message, metadata) \
             select n, case n % 2 when 0 then 'even' else 'odd' end, (n + 1) / 2, \
               array_remove(array[case n % 2 when 0 then {even} end, case n % 50 when 0 then {rare} end], null), \
               '\\x00', '{METADATA}' from generate_series(1, {events}) as n"
        );
        journal.writer.run(&fill).await;
        journal
    }

    /// Two ids with ten events each, of which the first four lie in a part of their own.
    async fn nested() -> Self {
        let partitions = "create table j_a partition of journal for values in ('a') partition by range (sequence_number); \
             create table j_a_0 partition of j_a for values from (0) to (5); \
             create table j_a_1 partition of j_a for values from (5) to (11); \
             create table j_b partition of journal for values in ('b') partition by range (sequence_number); \
             create table j_b_0 partition of j_b for values from (0) to (11)";
        let journal = Self::new(Layout::Nested, partitions).await;
        let fill = format!(
            "insert into journal (persistence_id, sequence_number, tags, message, metadata) \
             select id, n, '{{}}', '\\x00', '{METADATA}' \
             from generate_series(1, 10) as n, (values ('a'), ('b')) as it (id) order by n, id"
        );
        journal.writer.run(&fill).await;
        journal
    }

    fn history(&self, id: &str, from: u32) -> EventStream {
        let id = PersistenceId::parse(id).unwrap();
        self.queries
            .current_events_by_persistence_id(&id, from.into(), SequenceNumber::MAX)
    }
}

fn selections() -> [Selection; 3] {
    let tagged = |tag| Selection::from(Tag::new(tag).unwrap());
    [Selection::all(), tagged("even"), tagged("rare")]
}

fn assert_detached(error: &QueryError, partition: &str, up_to: i64) {
    let QueryError::Detached {
        partition: named,
        up_to: whole_behind,
        archive,
    } = error
    else {
        panic!("{error:?}");
    };
    assert!(named.ends_with(partition), "{named}");
    assert_eq!(whole_behind.get(), up_to);
    match archive {
        None => assert!(!error.to_string().contains("archived as"), "{error}"),
        Some(archive) => assert!(error.to_string().contains(archive), "{error}"),
    }
}

#[tokio::test]
async fn a_query_that_wants_them_is_told_where_the_history_begins() {
    let journal = Journal::by_ordering(25_000).await;
    let run = async |sql: &str| journal.writer.run(sql).await;
    run(&take_out("j_0", "journal", "ordering", None)).await;
    for which in selections() {
        let (start, whole) = (Offset::start(), Offset::new(9999));
        let queries = &journal.queries;
        let (found, error) = until_error(queries.current_events(which.clone(), start)).await;
        assert_eq!(found.len(), 0);
        assert_detached(&error, ".j_0", 9999);
        assert_detached(
            &until_error(queries.events(which.clone(), start)).await.1,
            ".j_0",
            9999,
        );
        let rest = all_offsets(queries.current_events(which.clone(), whole)).await;
        assert_eq!(rest.first().map(|first| first / 50), Some(200));
        let mut live = queries.events(which.clone(), whole);
        assert_eq!(take_offsets(&mut live, rest.len()).await, rest);
        let passing_over = queries.current_events(which.without_detached(), start);
        assert_eq!(all_offsets(passing_over).await, rest);
    }

    run("drop table j_0; update partition_life set state = 'dropped', archive = '/old/j_0.dump'")
        .await;
    let all = journal
        .queries
        .current_events(Selection::all(), Offset::start());
    assert_detached(&until_error(all).await.1, ".j_0", 9999);
}

/// The scripts may have been stopped before they detached it, or behind the attaching.
#[tokio::test]
async fn what_the_catalogue_has_is_there_whatever_the_state_says() {
    let journal = Journal::by_ordering(15_000).await;
    journal
        .writer
        .run(&take_out("j_0", "journal", "ordering", None))
        .await;
    let back = "alter table journal attach partition j_0 for values from (0) to (10000)";
    journal.writer.run(back).await;
    let all = journal
        .queries
        .current_events(Selection::all(), Offset::start());
    assert_eq!(all_offsets(all).await.len(), 15_000);
}

#[tokio::test]
async fn a_query_under_way_ends_where_a_partition_leaves() {
    let journal = Journal::by_ordering(25_000).await;
    // The rare ones are read as a whole before anybody waits.
    for which in selections().into_iter().take(2) {
        let mut events = journal
            .queries
            .current_events(which.clone(), Offset::start());
        let first = next(&mut events).await.offset.get();
        journal
            .writer
            .run(&take_out("j_2", "journal", "ordering", None))
            .await;
        let (found, error) = until_error(events).await;
        assert_detached(&error, ".j_2", 25_000);
        let mut offsets = vec![first];
        offsets.extend(found.iter().map(|event| event.offset.get()));
        let back = "alter table journal attach partition j_2 for values from (20000) to (30000); \
                    delete from partition_life";
        journal.writer.run(back).await;
        let whole = all_offsets(journal.queries.current_events(which, Offset::start())).await;
        assert!(whole.starts_with(&offsets), "{offsets:?}");
        assert!(offsets.len() < whole.len());
    }
}

#[tokio::test]
async fn a_history_that_lacks_events_says_which_partition_has_them() {
    let journal = Journal::by_ordering(25_000).await;
    let run = async |sql: &str| journal.writer.run(sql).await;
    run(&take_out("j_0", "journal", "ordering", None)).await;
    let error = until_error(journal.history("even", 1)).await.1;
    assert_detached(&error, ".j_0", 9999);
    assert_detached(
        &until_error(journal.history("odd", 4999)).await.1,
        ".j_0",
        9999,
    );
    let rest = sequence_numbers(&all(journal.history("even", 5000)).await);
    assert_eq!((rest.first(), rest.len()), (Some(&5000), 7501));

    // What was deleted before nobody misses.
    run("insert into journal_deletion values ('even', 4999, 4999)").await;
    assert_eq!(all(journal.history("even", 1)).await.len(), 7501);
    let error = until_error(journal.history("odd", 1)).await.1;
    assert_detached(&error, ".j_0", 9999);
}

#[tokio::test]
async fn in_the_nested_layout_it_concerns_those_who_want_that_history() {
    let journal = Journal::nested().await;
    let out = take_out("j_a_0", "j_a", "sequence_number", Some("a"));
    journal.writer.run(&out).await;
    assert_detached(&until_error(journal.history("a", 1)).await.1, ".j_a_0", 7);
    let rest = |from| all(journal.history("a", from));
    assert_eq!(sequence_numbers(&rest(5).await), [5, 6, 7, 8, 9, 10]);
    assert_eq!(all(journal.history("b", 1)).await.len(), 10);
    assert_eq!(all(journal.history("a", 11)).await.len(), 0);

    let events = |which, after| journal.queries.current_events(which, Offset::new(after));
    let error = until_error(events(Selection::all(), 0)).await.1;
    assert_detached(&error, ".j_a_0", 7);
    assert_eq!(all_offsets(events(Selection::all(), 7)).await.len(), 13);
    let kept = events(Selection::all().without_detached(), 0);
    assert_eq!(all_offsets(kept).await.len(), 16);
}
