//! What is refused before anything is changed.

use super::source::{Both, LAYOUTS};
use crate::prompt::{answer, program, run};

async fn is_untouched(both: &Both) {
    let rows = "select (select count(*) from journal) + (select count(*) from tags) + (select count(*) from snapshot) \
        + (select count(*) from journal_deletion)";
    assert_eq!(both.one::<i64>(rows).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_legacy_tables_are_refused_with_the_way_out() {
    let both = Both::without_journal(LAYOUTS[0]).await;
    let none = both.import(&[]).ended(3);
    assert!(none.stderr.contains("no table event_journal"), "{none:?}");
    let legacy = "create table journal (ordering bigserial, persistence_id varchar(255) not null, sequence_number bigint not null, \
        deleted boolean default false not null, tags varchar(255), message bytea not null, primary key (persistence_id, sequence_number))";
    both.at_source(legacy).await;
    let refused = both.import(&[]).ended(3);
    assert!(
        refused.stderr.contains("legacy table journal")
            && refused.stderr.contains("JournalMigrator"),
        "{refused:?}"
    );

    let both = Both::golden(LAYOUTS[0]).await;
    both.at_source(legacy).await;
    both.at_source("truncate event_journal, event_tag; insert into journal values (1, 'a', 1, false, null, '')")
        .await;
    let refused = both.import(&["--dry-run"]).ended(3);
    assert!(
        refused.stderr.contains("legacy table journal"),
        "{refused:?}"
    );

    let both = Both::golden(LAYOUTS[0]).await;
    both.at_source("drop table snapshot; create table snapshot (persistence_id varchar(255), sequence_number bigint, created bigint, snapshot bytea)")
        .await;
    let refused = both.import(&[]).ended(3);
    assert!(
        refused.stderr.contains("legacy table snapshot"),
        "{refused:?}"
    );

    let both = Both::golden(LAYOUTS[0]).await;
    both.at_source("alter table event_journal drop writer, drop meta_payload")
        .await;
    let refused = both.import(&[]).ended(3);
    assert!(
        refused.stderr.contains("lacks writer, meta_payload"),
        "{refused:?}"
    );
    is_untouched(&both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_has_given_higher_orderings_is_left_alone() {
    for layout in LAYOUTS {
        let both = Both::golden(layout).await;
        both.run("select setval('journal_ordering_seq', 5)").await;
        let refused = both.import(&[]).ended(3);
        assert!(
            refused.stderr.contains("begin at 2")
                && refused.stderr.contains("has given 5")
                && refused.stderr.contains("--new-orderings"),
            "{refused:?}"
        );
        let dry = both.import(&["--dry-run"]).ended(1).json();
        let said = dry["journal"]["refused"].as_str().unwrap();
        assert!(said.contains("has given 5"), "{dry:#}");
        is_untouched(&both).await;
        let given = "select last_value from journal_ordering_seq";
        assert_eq!(both.one::<i64>(given).await, 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_somebody_else_has_is_named() {
    for more in [&[][..], &["--new-orderings"]] {
        let both = Both::golden(LAYOUTS[0]).await;
        both.run(
            "insert into journal (ordering, sequence_number, persistence_id, message, tags, metadata) values \
             (1, 1, 'other', '', '{}', '{\"sid\":4,\"wid\":\"w\",\"t\":1}'), \
             (1, 1, 'Log|1', 'mine', '{}', '{\"sid\":4,\"wid\":\"w\",\"t\":1}'); \
             select setval('journal_ordering_seq', 1)",
        )
        .await;
        let refused = both.import(more).ended(3);
        assert!(
            refused.stderr.contains("has event 1 of Log|1 already"),
            "{refused:?}"
        );
        both.run("update journal set sequence_number = 99 where persistence_id = 'Log|1'")
            .await;
        let refused = both.import(more).ended(3);
        assert!(refused.stderr.contains("event 99 of Log|1"), "{refused:?}");
        assert_eq!(both.one::<i64>("select count(*) from journal").await, 2);
        // Others are in nobody's way.
        both.run("delete from journal where persistence_id = 'Log|1'")
            .await;
        let answer = both.import(more).ended(0).json();
        assert_eq!(answer["imported"]["events"], 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_brought_over_is_named() {
    let cases = [
        (
            "update event_journal set meta_ser_id = 1, meta_ser_manifest = '', meta_payload = 'x' where ordering = 5",
            "metadata",
            "Replicated Event Sourcing",
        ),
        (
            "delete from event_journal where persistence_id = 'Log|1' and sequence_number = 4",
            "hole",
            "event 5 of Log|1",
        ),
        (
            "update event_journal set ordering = 1000 where persistence_id = 'Log|1' and sequence_number = 5",
            "disorder",
            "event 6 of Log|1",
        ),
        (
            "update event_journal set write_timestamp = null where ordering = 5",
            "timestamp",
            "write_timestamp",
        ),
        (
            "update event_journal set ordering = 0 where persistence_id = 'number'",
            "ordering",
            "event 1 of number",
        ),
        (
            "update event_journal set persistence_id = '' where persistence_id = 'number'",
            "persistence_id",
            "persistence id is empty",
        ),
        (
            "update event_tag set tag = '' where tag = 'vip'",
            "tag",
            "a tag that is empty",
        ),
        (
            "update snapshot set meta_payload = 'x' where persistence_id = 'bytes-1'",
            "snapshot_metadata",
            "the snapshot of bytes-1 at 2",
        ),
    ];
    let both = Both::golden(LAYOUTS[0]).await;
    for (breaks, reason, said) in cases {
        both.at_source("drop table event_tag, event_journal, snapshot, durable_state")
            .await;
        both.at_source(super::source::GOLDEN).await;
        both.at_source(breaks).await;
        let dry = both.import(&["--dry-run"]).ended(1).json();
        assert_eq!(dry["source"]["unfit"][0]["reason"], reason, "{dry:#}");
        let refused = both.import(&[]).ended(3);
        assert!(refused.stderr.contains(said), "{refused:?}");
        is_untouched(&both).await;
    }
}

#[test]
fn no_password_of_either_side_is_printed() {
    const PASSWORD: &str = "hunter2-not-to-be-seen";
    let url = format!("postgresql://ann:{PASSWORD}@127.0.0.1:1/app");
    let badly = format!("postgresql://ann:{PASSWORD}/y@127.0.0.1:1/app");
    let pairs = format!("host=127.0.0.1 port=1 user=ann password={PASSWORD}");
    for from in [&url, &badly, &pairs] {
        for more in [&[][..], &["--dry-run"], &["--verify"]] {
            let command = ["import", "jvm-jdbc", "--from", from, "--url", &url];
            let said = run(&[&command[..], more].concat());
            assert_ne!(said.code, 0);
            assert!(!said.stderr.contains(PASSWORD), "{said:?}");
            assert!(!said.stdout.contains(PASSWORD), "{said:?}");
        }
    }
    let wrong = run(&["import", "jvm-jdbc", &url]).ended(64);
    assert!(!wrong.stderr.contains(PASSWORD), "{wrong:?}");
    let mut program = program();
    program
        .env("PGPASSWORD", PASSWORD)
        .env("DATABASE_URL", &url);
    let from = ["import", "jvm-jdbc", "--from", "postgresql://127.0.0.1:1/x"];
    let said = answer(program.args(from)).ended(4);
    assert!(!said.stderr.contains(PASSWORD), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_shows_no_password() {
    let both = Both::golden(LAYOUTS[0]).await;
    let url = both.database.url();
    let behind_user = url.find('@').unwrap();
    let with = format!("{}:hunter2{}", &url[..behind_user], &url[behind_user..]);
    let command = [
        "import",
        "jvm-jdbc",
        "--from",
        &with,
        "--from-schema",
        "jvm",
    ];
    let said = run(&[&command[..], &["--url", &with, "--table"]].concat()).ended(0);
    assert!(!said.stdout.contains("hunter2"), "{said:?}");
    assert!(!said.stderr.contains("hunter2"), "{said:?}");
}
