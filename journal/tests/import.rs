//! Many events from elsewhere, in every layout.

use std::convert::Infallible;

use annals_journal::{Import, ImportEvent, ImportFailure, JournalSettings};
use annals_persistence::{NewEvent, Offset, Payload, SequenceNumber, Tags, Timestamp, WriterId};
use annals_postgres::{Cut, Layout, TestProxy};
use futures::stream;
use uuid::Uuid;

use crate::store::{Store, until};
use crate::writes::{id, number, send, write};

const LAYOUTS: [Layout; 3] = [Layout::Flat, Layout::Ordering, Layout::Nested];

/// Small partitions: chunks lie across their edges.
async fn empty(layout: Layout) -> Store {
    Store::in_layout(layout, 40, JournalSettings::default()).await
}

fn event(persistence_id: &str, sequence_number: i64) -> ImportEvent {
    let mut event = NewEvent::from(Payload::text(format!("{persistence_id} {sequence_number}")));
    if sequence_number % 2 == 0 {
        event.tags = Tags::of(["even", "all"]).unwrap();
    }
    ImportEvent {
        persistence_id: id(persistence_id),
        sequence_number: number(sequence_number),
        event,
        writer: WriterId::from_uuid(Uuid::from_u128(7)),
        timestamp: Timestamp::from_millis(5),
        deleted: false,
        ordering: None,
    }
}

/// Five histories of sixty events, mixed.
fn events() -> Vec<ImportEvent> {
    let ids = ["a", "b", "c'\"", "d", "e"];
    (1..=60)
        .flat_map(|number| ids.map(|id| event(id, number)))
        .collect()
}

fn stream_of(
    events: Vec<ImportEvent>,
) -> impl futures::Stream<Item = Result<ImportEvent, Infallible>> {
    stream::iter(events.into_iter().map(Ok))
}

fn import(store: &Store) -> Import {
    Import::into_journal(store.settings.clone()).chunk_events(70)
}

/// What there must be, whatever the chunks were.
async fn is_whole(store: &Store, layout: Layout) {
    for id in ["a", "b", "c'\"", "d", "e"] {
        let texts: Vec<(i64, String)> = (1..=60).map(|it| (it, format!("{id} {it}"))).collect();
        assert_eq!(store.texts(&crate::writes::id(id)).await, texts, "{layout}");
    }
    let tagged = "select count(*) from journal where sequence_number % 2 = 0 and \
        (select array_agg(name order by name) from tags where id = any (journal.tags)) = '{all,even}'";
    assert_eq!(store.one::<i64>(tagged).await, 150, "{layout}");
    let untagged = "select count(*) from journal where sequence_number % 2 = 1 and tags = '{}'";
    assert_eq!(store.one::<i64>(untagged).await, 150, "{layout}");
    let metadata = "select count(distinct metadata) = 1 and min(metadata::text) = \
        '{\"t\": 5, \"sid\": 20, \"wid\": \"00000000-0000-0000-0000-000000000007\"}' from journal";
    assert!(store.one::<bool>(metadata).await, "{layout}");
    let doubled = "select count(*) - count(distinct ordering) from journal";
    assert_eq!(store.one::<i64>(doubled).await, 0, "{layout}");
    if layout != Layout::Flat {
        let kept = "select count(*) from journal_metadata as m join (select persistence_id, max(sequence_number) as newest, \
            min(ordering) as lowest, max(ordering) as highest from journal group by persistence_id) as j using (persistence_id) \
            where (newest, lowest, highest) = (max_sequence_number, min_ordering, max_ordering)";
        assert_eq!(store.one::<i64>(kept).await, 5, "{layout}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_events_are_as_if_they_had_been_written() {
    for layout in LAYOUTS {
        let store = empty(layout).await;
        let imported = import(&store).run(stream_of(events())).await.unwrap();
        assert_eq!(
            (imported.events, imported.passed_over),
            (300, 0),
            "{layout}"
        );
        is_whole(&store, layout).await;
        // Entities go on.
        send(&store.journal, write(&id("a"), 61, ["on"]))
            .await
            .stored()
            .await;
        let error = import(&store).run(stream_of(vec![event("b", 61), event("a", 61)]));
        let error = error.await.unwrap_err();
        let ImportFailure::Taken {
            persistence_id,
            highest,
            ..
        } = &error.reason
        else {
            panic!("{error:?}");
        };
        assert_eq!((persistence_id, highest.get()), (&id("a"), 61));
        assert_eq!(
            error.imported.events, 0,
            "a chunk is stored whole or not at all"
        );
        assert!(
            error
                .to_string()
                .contains("event 61 of a is in the journal already"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_ended_anywhere_goes_on() {
    for layout in LAYOUTS {
        let store = empty(layout).await;
        let broken = events().into_iter().take(200).map(Ok);
        let broken = broken.chain([Err("the disk is gone")]);
        let error = import(&store).run(stream::iter(broken)).await.unwrap_err();
        assert!(
            matches!(error.reason, ImportFailure::Source(_)),
            "{error:?}"
        );
        assert_eq!(error.imported.events, 200);
        let rest = events().split_off(200).into_iter().take(20).collect();
        import(&store).run(stream_of(rest)).await.unwrap();
        let imported = import(&store)
            .resuming()
            .run(stream_of(events()))
            .await
            .unwrap();
        assert_eq!(
            (imported.events, imported.passed_over),
            (300, 220),
            "{layout}"
        );
        is_whole(&store, layout).await;
    }
}

/// Wherever the connection is cut, before, behind or after what the server does.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_costs_nothing_and_doubles_nothing() {
    for layout in LAYOUTS {
        let store = empty(layout).await;
        let proxy = TestProxy::to(&store.settings).await;
        let import = Import::into_journal(proxy.settings().clone()).chunk_events(10);
        let cuts = [
            Cut::BeforeTheServer,
            Cut::BehindTheServer,
            Cut::BeforeTheAnswer,
        ];
        let imported = import.run(stream::iter(events().into_iter().enumerate().map(
            |(place, event)| {
                // Of each kind some, at all places of the life of a chunk.
                if place % 4 == 0 && proxy.cuts_left() == 0 {
                    proxy.plan([cuts[fastrand::usize(..3)]]);
                }
                Ok::<_, Infallible>(event)
            },
        )));
        assert_eq!(imported.await.unwrap().events, 300, "{layout}");
        is_whole(&store, layout).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_and_what_the_server_refuses_are_named() {
    for layout in LAYOUTS {
        let store = empty(layout).await;
        let error = import(&store).run(stream_of(vec![event("a", 1), event("a", 3)]));
        let error = error.await.unwrap_err().to_string();
        assert!(
            error.contains("event 3 of a comes where 2 belongs"),
            "{error}"
        );
        store
            .run("alter table journal add constraint short check (length(message) < 100)")
            .await;
        let mut some = events();
        some[123].event.payload = Payload::text("x".repeat(200));
        let (guilty, its_number) = (some[123].persistence_id.clone(), some[123].sequence_number);
        let error = import(&store).run(stream_of(some)).await.unwrap_err();
        assert_eq!(error.imported.events, 70, "{layout}");
        match error.reason {
            ImportFailure::Refused {
                persistence_id,
                sequence_number,
                ..
            } => {
                assert_eq!(
                    (persistence_id, sequence_number),
                    (guilty, its_number),
                    "{layout}"
                );
            }
            other => panic!("{layout}: {other:?}"),
        }
        assert_eq!(store.one::<i64>("select count(*) from journal").await, 70);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orderings_stay_what_they_were_and_the_next_ones_lie_above() {
    for layout in LAYOUTS {
        let store = empty(layout).await;
        let mut some = events();
        for (place, event) in (0..).zip(&mut some) {
            event.ordering = Some(Offset::new(1000 + 3 * place));
        }
        import(&store).run(stream_of(some)).await.unwrap();
        let ends = "select min(ordering) = 1000 and max(ordering) = 1000 + 3 * 299 from journal";
        assert!(store.one::<bool>(ends).await, "{layout}");
        send(&store.journal, write(&id("new"), 1, ["x"]))
            .await
            .stored()
            .await;
        let next = "select ordering > 1000 + 3 * 299 from journal where persistence_id = 'new'";
        assert!(store.one::<bool>(next).await, "{layout}");
        let mut low = event("low", 1);
        low.ordering = Some(Offset::new(500));
        let error = import(&store).run(stream_of(vec![low])).await.unwrap_err();
        assert!(
            matches!(error.reason, ImportFailure::Ordering { .. }),
            "{error:?}"
        );
        assert_eq!(store.one::<i64>("select count(*) from journal").await, 301);
    }
}

/// A history whose first hundred events were removed there.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_without_its_beginning_is_recovered() {
    for layout in LAYOUTS {
        let store = empty(layout).await;
        let mut last_deleted = event("a", 100);
        last_deleted.deleted = true;
        import(&store)
            .run(stream_of(vec![last_deleted, event("a", 101)]))
            .await
            .unwrap();
        let replay = annals_persistence::ReplayEvents::from(id("a"), SequenceNumber::FIRST);
        let replay = store.journal.replay(replay).await.unwrap();
        assert_eq!(
            (replay.highest.get(), replay.deleted_to.get()),
            (101, 100),
            "{layout}"
        );
        send(&store.journal, write(&id("a"), 102, ["on"]))
            .await
            .stored()
            .await;
    }
}

/// The same, where not even a deleted event tells of it, but a mark.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_goes_on_behind_its_mark() {
    for layout in LAYOUTS {
        let store = empty(layout).await;
        let late = || stream_of(vec![event("a", 101), event("a", 102)]);
        let error = import(&store).run(late()).await.unwrap_err();
        assert!(
            matches!(error.reason, ImportFailure::Hole { .. }),
            "{error:?}"
        );
        let mark = "insert into journal_deletion (persistence_id, deleted_to, erased_to) values ('a', 100, 100)";
        store.run(mark).await;
        import(&store).run(late()).await.unwrap();
        let replay = annals_persistence::ReplayEvents::from(id("a"), SequenceNumber::FIRST);
        let replay = store.journal.replay(replay).await.unwrap();
        assert_eq!(
            (replay.highest.get(), replay.deleted_to.get()),
            (102, 100),
            "{layout}"
        );
        send(&store.journal, write(&id("a"), 103, ["on"]))
            .await
            .stored()
            .await;
    }
}

/// As when the import is killed while it stores a chunk: its numbers are not given.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_a_chunk_that_is_not_stored_can_be_brought_again() {
    for layout in LAYOUTS {
        let store = empty(layout).await;
        let mut some = events();
        for (place, event) in (0..).zip(&mut some) {
            event.ordering = Some(Offset::new(1000 + 3 * place));
        }
        store
            .run("alter table journal add constraint short check (length(message) < 100)")
            .await;
        let mut refused = some.clone();
        refused[123].event.payload = Payload::text("x".repeat(200));
        let error = import(&store).run(stream_of(refused)).await.unwrap_err();
        assert_eq!(error.imported.events, 70, "{layout}");
        import(&store)
            .run(stream_of(some.split_off(70)))
            .await
            .unwrap();
        is_whole(&store, layout).await;
    }
}

/// Writers elsewhere are called what they are called.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_may_have_any_name() {
    let store = empty(Layout::Flat).await;
    let names = [
        "",
        "28D090B8-4134-4C04-BFBA-A17D53C2B6FC",
        "the \"old\" one",
    ];
    let named = names.into_iter().zip(1..).map(|(writer, place)| {
        let event = event("a", place);
        Ok::<_, Infallible>(ImportEvent {
            persistence_id: event.persistence_id,
            sequence_number: event.sequence_number,
            event: event.event,
            writer,
            timestamp: event.timestamp,
            deleted: event.deleted,
            ordering: event.ordering,
        })
    });
    import(&store).run(stream::iter(named)).await.unwrap();
    let written = "select metadata ->> 'wid' from journal order by sequence_number";
    assert_eq!(store.column::<String>(written).await, names);
}

/// A number is drawn under the lock by which readers know a writer: seen while another holds the
/// sequence.
#[tokio::test(flavor = "multi_thread")]
async fn readers_know_an_import_that_has_drawn_numbers_as_a_writer() {
    for layout in LAYOUTS {
        let store = empty(layout).await;
        let holder = store.connect().await;
        let hold = "begin; alter sequence journal_ordering_seq cache 1";
        holder.batch_execute(hold).await.unwrap();
        let importing = tokio::spawn(import(&store).run(stream_of(events())));
        let observer = store.connect().await;
        let waits = "select exists (select from pg_locks where not granted \
            and relation = 'journal_ordering_seq'::regclass)";
        until(&observer, waits).await;
        let known = "select exists (select from pg_locks as waiting join pg_locks as held using (pid) \
            where not waiting.granted and waiting.relation = 'journal_ordering_seq'::regclass \
              and held.granted and held.relation = 'journal'::regclass and held.mode = 'RowExclusiveLock')";
        assert!(store.one::<bool>(known).await, "{layout}");
        holder.batch_execute("rollback").await.unwrap();
        importing.await.unwrap().unwrap();
        is_whole(&store, layout).await;
    }
}
