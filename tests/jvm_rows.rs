//! Journals of the JVM plugin, as their users have them, taken as they are: recovered, read by tag and
//! written on, with migrations and without.

mod forms;
mod golden;
mod log;

use annals::{
    Annals, EventEnvelope, Layout, NewEvent, Offset, OpenError, Options, Payload, PersistenceId,
    SequenceNumber, SerializerId, ShapeError, StartError, Tags, WriteError, WriteEvents, WriterId,
};
use annals_postgres::Settings;
use futures::TryStreamExt;

use forms::FORMS;
use golden::{Golden, LAYOUTS};
use log::{Command, Log};

/// One event is written in each of these ways to open it.
const WAYS: [fn(Settings) -> Options; 2] = [
    |settings| Options::new(settings).without_migrations(),
    Options::new,
];

async fn every_form(layout: Layout) {
    for form in FORMS {
        let Some(sql) = form.sql_in(layout) else {
            continue;
        };
        let golden = Golden::of(layout).await;
        golden.run(sql).await;
        golden.run(forms::AUDIT).await;
        for (way, written) in WAYS.into_iter().zip(10..) {
            let annals = way(golden.settings()).open().await.unwrap();
            let said = format!("{layout}, {}, event {written}", form.name);
            recovers_writes_and_refuses(&annals, written, &said).await;
            reads(&annals, &said).await;
            annals.shutdown().await;
            let upkeep = golden.one::<i64>(forms::UPKEEP).await;
            assert_eq!(upkeep, form.upkeep(layout, written - 9), "{said}");
            if form.keeps(layout) {
                assert_eq!(golden.one::<i64>(forms::WRONG_METADATA).await, 0, "{said}");
            }
        }
    }
}

async fn recovers_writes_and_refuses(annals: &Annals, written: i64, said: &str) {
    let log = annals.entity::<Log>("1").await.unwrap();
    let mut texts: Vec<String> = ["six", "Log|1#7", "Log|1#8", "Log|1#9"]
        .map(str::to_owned)
        .to_vec();
    texts.extend((10..written).map(|number| format!("Log|1#{number}")));
    assert_eq!(log.ask(Command::Get).await.unwrap(), texts, "{said}");
    let text = format!("Log|1#{written}");
    let all = log.ask(|reply| Command::Add(text, reply)).await.unwrap();
    assert_eq!(all, texts.len() + 1, "{said}");

    let id = PersistenceId::of("Log", "1").unwrap();
    for stale in [1, 5, written] {
        let events = vec![NewEvent::from(Payload::text("stale"))];
        let first = SequenceNumber::new(stale).unwrap();
        let write = WriteEvents::new(id.clone(), first, WriterId::random(), events);
        let error = annals.journal().write(write).await.unwrap_err();
        let WriteError::Conflict {
            attempted, highest, ..
        } = error
        else {
            panic!("{said}: {error:?}");
        };
        assert_eq!((attempted.get(), highest.get()), (stale, written), "{said}");
    }
}

async fn reads(annals: &Annals, said: &str) {
    let of_eu: Vec<_> = annals
        .query()
        .current_events_by_tag("eu", Offset::start())
        .map_ok(|it| (it.persistence_id.to_string(), it.sequence_number.get()))
        .try_collect()
        .await
        .unwrap();
    let expected = [
        ("Log|1", 4),
        ("Log|1", 5),
        ("Log|1", 6),
        ("bytes-1", 1),
        ("bytes-1", 2),
        ("Log|3", 1),
        ("Log|3", 2),
    ]
    .map(|(id, number)| (id.to_owned(), number));
    assert_eq!(of_eu, expected, "{said}");

    let mut ids: Vec<String> = annals
        .query()
        .current_persistence_ids()
        .map_ok(|id| id.to_string())
        .try_collect()
        .await
        .unwrap();
    ids.sort_unstable();
    assert_eq!(
        ids,
        ["Log|1", "Log|3", "Zähler|ü", "bytes-1", "number"],
        "{said}"
    );

    let bytes = events(annals, "bytes-1").await;
    assert_eq!(bytes[1].payload, Payload::raw("bytes-1#2"), "{said}");
    let text = events(annals, "Zähler|ü").await;
    assert_eq!(text[0].payload, Payload::text("Zähler|ü#1"), "{said}");
    let number = &events(annals, "number").await[0].payload;
    let little_endian = 1_i64.to_le_bytes();
    assert_eq!(number.serializer, SerializerId(18), "{said}");
    assert_eq!(number.bytes.as_ref(), little_endian, "{said}");
    // Replaced in place: the plugin leaves no writer and no time then.
    let replaced = &events(annals, "Log|3").await[0];
    assert_eq!(replaced.payload, Payload::text("other"), "{said}");
    assert_eq!(
        (replaced.writer.as_str(), replaced.timestamp.as_millis()),
        ("", 0)
    );
}

async fn events(annals: &Annals, id: &str) -> Vec<EventEnvelope> {
    let id = PersistenceId::parse(id.to_owned()).unwrap();
    let (from, to) = (SequenceNumber::FIRST, SequenceNumber::MAX);
    let query = annals.query();
    let events = query.current_events_by_persistence_id(&id, from, to);
    events.try_collect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn flat_journals_of_every_form_are_taken_as_they_are() {
    every_form(Layout::Flat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn journals_by_ordering_of_every_form_are_taken_as_they_are() {
    every_form(Layout::Ordering).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_journals_of_every_form_are_taken_as_they_are() {
    every_form(Layout::Nested).await;
}

/// The same history, written by the plugin and by Annals, is the same rows in the same partitions; but
/// for the names of the writers and the time.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_annals_are_those_of_the_plugin() {
    for layout in LAYOUTS {
        let golden = Golden::of(layout).await;
        let theirs = (
            golden.column(ROWS).await,
            golden.column(METADATA).await,
            golden.column(TAGS).await,
        );
        golden.run(EMPTY).await;
        let annals = Options::new(golden.settings()).open().await.unwrap();
        for (id, first, count, tags) in HISTORY {
            let id = PersistenceId::parse(id.to_owned()).unwrap();
            let events = (first..first + count).map(|number| {
                let text = format!("{id}#{number}");
                let mut event = NewEvent::from(match id.as_str() {
                    "bytes-1" => Payload::raw(text),
                    _ => Payload::text(text),
                });
                event.tags = Tags::of(tags.split_terminator(',')).unwrap();
                event
            });
            let first = SequenceNumber::new(first).unwrap();
            let write = WriteEvents::new(id.clone(), first, WriterId::random(), events.collect());
            annals.journal().write(write).await.unwrap();
        }
        annals.shutdown().await;
        let ours = (
            golden.column(ROWS).await,
            golden.column(METADATA).await,
            golden.column(TAGS).await,
        );
        assert_eq!(ours, theirs, "{layout}");
    }
}

/// What the plugin was told to write: id, first number, events of the one write, tags.
const HISTORY: [(&str, i64, i64, &str); 8] = [
    ("Log|1", 1, 1, ""),
    ("Log|1", 2, 1, "eu"),
    ("Log|1", 3, 1, "vip"),
    ("Log|1", 4, 3, "vip,eu"),
    ("bytes-1", 1, 2, "eu"),
    ("Zähler|ü", 1, 1, ""),
    ("Zähler|ü", 2, 1, ""),
    ("Log|1", 7, 3, ""),
];

/// Without those behind it: a number, and a row that was replaced in place. The plugin gives tags in no
/// order.
const ROWS: &str = "\
select format('%s %s %s %s %s %s %s', ordering, tableoid::regclass, persistence_id, sequence_number, \
  encode(message, 'hex'), sort(tags), (metadata - 'wid' - 't')::text) \
from journal where persistence_id not in ('Log|3', 'number') order by ordering";

const METADATA: &str = "\
select format('%s %s %s %s', persistence_id, max_sequence_number, min_ordering, max_ordering) \
from journal_metadata where persistence_id not in ('Log|3', 'number') order by max_ordering";

const TAGS: &str = "select format('%s %s', id, name) from tags order by id";

const EMPTY: &str = "\
truncate journal, journal_metadata, tags, snapshot restart identity; \
select setval('journal_ordering_seq', 1, false)";

/// What the plugin does before it writes beyond the last partition: nothing must be in its way.
#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_are_made_ahead_are_those_that_the_plugin_would_make() {
    for way in WAYS {
        let golden = Golden::of(Layout::Ordering).await;
        let annals = way(golden.settings()).open().await.unwrap();
        golden.until("select to_regclass('j_5') is not null").await;
        annals.shutdown().await;
        for number in 0..8 {
            let (from, to) = (number * 5, number * 5 + 5);
            let theirs = format!(
                "create table if not exists j_{number} partition of journal for values from ({from}) to ({to}); \
                 create unique index if not exists j_{number}_persistence_sequence_idx \
                   on j_{number} using btree (persistence_id, sequence_number)"
            );
            golden.run(&theirs).await;
            let guarded = format!(
                "select count(*) from pg_index where indrelid = 'j_{number}'::regclass and indisunique"
            );
            assert_eq!(golden.one::<i64>(&guarded).await, 2, "j_{number}");
            let keeps = format!(
                "select count(*) from pg_trigger where tgrelid = 'j_{number}'::regclass and tgname = 'trig_update_journal_metadata'"
            );
            assert_eq!(golden.one::<i64>(&keeps).await, 1, "j_{number}");
        }
    }
}

/// The same where each persistence id has partitions of its own: one that the plugin has begun, and one
/// whose name the plugin folds and fills up.
#[tokio::test(flavor = "multi_thread")]
async fn nested_partitions_are_those_that_the_plugin_would_make() {
    for way in WAYS {
        let golden = Golden::of(Layout::Nested).await;
        let annals = way(golden.settings()).open().await.unwrap();
        for (id, first, last) in [("Log|1", 10, 18), ("Fresh|Ä-1", 1, 9)] {
            let id = PersistenceId::parse(id).unwrap();
            for number in first..=last {
                let events = vec![NewEvent::from(Payload::text(format!("{id}#{number}")))];
                let first = SequenceNumber::new(number).unwrap();
                let write = WriteEvents::new(id.clone(), first, WriterId::random(), events);
                annals.journal().write(write).await.unwrap();
            }
        }
        annals.shutdown().await;
        for (id, name, parts) in [("Log|1", "j_Log_1", 5), ("Fresh|Ä-1", "j_Fresh___1", 3)] {
            let whole = format!(
                "create table if not exists {name} partition of journal for values in ('{id}') \
                 partition by range (sequence_number)"
            );
            golden.run(&whole).await;
            for number in 0..parts {
                let (from, to) = (number * 4, number * 4 + 4);
                let part = format!(
                    "create table if not exists {name}_{number} partition of {name} for values from ({from}) to ({to})"
                );
                golden.run(&part).await;
            }
        }
    }
}

/// A role that reads and writes rows and may create nothing, in a database where nobody has run a
/// migration.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_create_nothing_works_without_migrations() {
    for layout in LAYOUTS {
        let golden = Golden::of(layout).await;
        let settings = golden.role_that_writes_rows().await;
        let annals = Options::new(settings)
            .without_migrations()
            .open()
            .await
            .unwrap();
        recovers_writes_and_refuses(&annals, 10, &layout.to_string()).await;
        reads(&annals, &layout.to_string()).await;
        annals.shutdown().await;
    }
}

/// And is told what is missing where it cannot go on.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_without_migrations_is_named_when_it_is_opened() {
    for layout in LAYOUTS {
        let golden = Golden::bare(layout).await;
        let options = Options::new(golden.settings()).without_migrations();
        let error = options.open().await.unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::Journal(StartError::Shape(ShapeError::MissingTable { .. }))
            ),
            "{error:?}"
        );
        let said = error.to_string();
        assert!(
            said.contains("journal_deletion") && said.contains("schemas/common/deletion.sql"),
            "{said}"
        );
    }
}
