//! What the releases of the plugin, and its users, have left otherwise.

use annals::{Options, PersistenceId, ReplayEvents, SequenceNumber};

use super::source::{Both, LAYOUTS};

/// As its migration to 2.0 does it.
const NEW_COLUMNS: &str =
    "alter table event_tag add persistence_id varchar(255), add sequence_number bigint";
const NEW_KEY: &str = "\
update event_tag set persistence_id = event.persistence_id, sequence_number = event.sequence_number \
  from event_journal as event where event_id = event.ordering; \
alter table event_tag drop constraint fk_event_journal, drop constraint event_tag_pkey, \
  add primary key (persistence_id, sequence_number, tag), alter event_id drop not null";

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_found_by_either_key_and_on_the_way_from_one_to_the_other() {
    let migrated = format!("{NEW_COLUMNS}; {NEW_KEY}");
    // Rows that were written since know no ordering; the query that compares them does.
    let written_since = format!(
        "{migrated}; create table old as table event_tag; update event_tag set event_id = null"
    );
    let on_the_way = format!(
        "{NEW_COLUMNS}; update event_tag set persistence_id = event.persistence_id, sequence_number = event.sequence_number \
         from event_journal as event where event_id = event.ordering and tag = 'vip'"
    );
    let without = format!("{written_since}; alter table event_tag drop event_id");
    for form in [
        "",
        NEW_COLUMNS,
        &on_the_way,
        &migrated,
        &written_since,
        &without,
    ] {
        let both = Both::golden(LAYOUTS[0]).await;
        both.at_source(form).await;
        let answer = both.import(&[]).ended(0).json();
        assert_eq!(answer["source"]["tags_on_events"], 6, "{form}");
        if form.contains("create table old") {
            both.at_source("drop table event_tag; alter table old rename to event_tag")
                .await;
        }
        both.is_the_same(true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_without_its_beginning_goes_on() {
    for more in [&[][..], &["--new-orderings"]] {
        for layout in LAYOUTS {
            let both = Both::golden(layout).await;
            // The event that the plugin keeps is gone as well.
            both.at_source("delete from event_journal where deleted and persistence_id = 'Log|1'")
                .await;
            let answer = both.import(more).ended(0).json();
            assert_eq!(answer["source"]["histories_without_beginning"], 1);
            assert_eq!(answer["imported"]["marked_beginnings"], 1);
            both.is_the_same(more.is_empty()).await;
            let annals = Options::new(both.database.settings()).open().await.unwrap();
            let id = PersistenceId::parse("Log|1").unwrap();
            let replay = ReplayEvents::from(id, SequenceNumber::FIRST);
            let replayed = annals.journal().replay(replay).await.unwrap();
            assert_eq!(
                (replayed.highest.get(), replayed.deleted_to.get()),
                (6, 2),
                "{layout}"
            );
            annals.shutdown().await;
            both.import(&[more, &["--verify"]].concat()).ended(0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_orderings_follow_those_that_are_given() {
    for layout in LAYOUTS {
        let both = Both::golden(layout).await;
        both.run("select setval('journal_ordering_seq', 500)").await;
        let answer = both.import(&["--new-orderings"]).ended(0).json();
        assert_eq!(answer["imported"]["events"], 10, "{answer:#}");
        both.is_the_same(false).await;
        let above = "select min(ordering) > 500 from journal";
        assert!(both.one::<bool>(above).await);
        let order = "select array_agg(theirs.ordering order by ours.ordering) = array_agg(theirs.ordering order by theirs.ordering) \
            from journal as theirs join jvm.event_journal as ours using (persistence_id, sequence_number)";
        assert!(both.one::<bool>(order).await);
        let again = both.import(&["--new-orderings"]).ended(0).json();
        assert_eq!(again["imported"]["events"], 0, "{again:#}");
        assert_eq!(again["imported"]["passed_over"], 10, "{again:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_journal_and_one_without_snapshots_are_no_matter() {
    let both = Both::golden(LAYOUTS[0]).await;
    both.at_source("truncate event_journal, event_tag; drop table snapshot")
        .await;
    let answer = both.import(&[]).ended(0).json();
    assert_eq!(answer["imported"]["events"], 0, "{answer:#}");
    let states = "insert into durable_state (persistence_id, revision, state_payload, state_serial_id, state_timestamp) \
        values ('s', 1, '', 4, 0)";
    both.at_source(states).await;
    let answer = both.import(&["--dry-run"]).ended(0).json();
    assert_eq!(answer["source"]["durable_states_not_imported"], 1);
}
