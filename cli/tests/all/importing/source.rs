//! Journals of pekko-persistence-jdbc, in the schema `jvm` of a database.

use annals_postgres::{Connection, Layout, NewJournal, TestDatabase};
use tokio_postgres::types::FromSql;

use crate::prompt::{Answer, at};

pub(crate) const LAYOUTS: [Layout; 3] = [Layout::Flat, Layout::Ordering, Layout::Nested];

/// The rows that the plugin wrote.
pub(crate) const GOLDEN: &str = include_str!("../../golden/jvm_jdbc.sql");

/// A journal of ours, and one of the plugin beside it.
pub(crate) struct Both {
    pub(crate) database: TestDatabase,
    pub(crate) sql: Connection,
}

impl Both {
    /// With the rows of the plugin.
    pub(crate) async fn golden(layout: Layout) -> Self {
        let both = Self::without_journal(layout).await;
        both.at_source(GOLDEN).await;
        both
    }

    /// With so many events of 100 bytes: five histories that take turns, every tenth event tagged.
    pub(crate) async fn filled(layout: Layout, events: i64) -> Self {
        let both = Self::golden(layout).await;
        both.at_source("truncate event_journal, event_tag, snapshot")
            .await;
        both.at_source(&format!(
            "insert into event_journal (ordering, persistence_id, sequence_number, writer, write_timestamp, adapter_manifest, \
               event_ser_id, event_ser_manifest, event_payload) \
             select 2 * n + 5, 'Meter|' || n % 5, n / 5 + 1, 'writer', 1795000000000 + n, '', 4, '', \
               decode(repeat(md5(n::text), 4), 'escape') \
             from generate_series(0, {events} - 1) as n; \
             insert into event_tag (event_id, tag) select ordering, 'tenth' from event_journal where ordering % 20 = 5; \
             analyze event_journal; analyze event_tag"
        ))
        .await;
        both
    }

    pub(crate) async fn without_journal(layout: Layout) -> Self {
        let small = NewJournal::new(layout).partition_size(1000.try_into().unwrap());
        let database = TestDatabase::create_as(&small).await.unwrap();
        let sql = database.connect().await.unwrap();
        sql.batch_execute("create schema jvm").await.unwrap();
        Self { database, sql }
    }

    /// Runs statements where the tables of the plugin are.
    pub(crate) async fn at_source(&self, statements: &str) {
        let other = self.database.connect().await.unwrap();
        other.batch_execute("set search_path to jvm").await.unwrap();
        other.batch_execute(statements).await.unwrap();
        other.close().await;
    }

    pub(crate) async fn run(&self, statements: &str) {
        self.sql.batch_execute(statements).await.unwrap();
    }

    pub(crate) async fn one<T: for<'a> FromSql<'a>>(&self, sql: &str) -> T {
        self.sql.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// `annals import jvm-jdbc` with these further arguments.
    pub(crate) fn import(&self, more: &[&str]) -> Answer {
        let url = self.database.url();
        at(&self.database, &[&self.arguments(&url)[..], more].concat())
    }

    pub(crate) fn arguments<'a>(&self, url: &'a str) -> [&'a str; 6] {
        ["import", "jvm-jdbc", "--from", url, "--from-schema", "jvm"]
    }

    /// Compares the rows of both sides, by a statement that has nothing of the one under test.
    pub(crate) async fn is_the_same(&self, orderings_kept: bool) {
        let ordering = match orderings_kept {
            true => "ordering",
            false => "0",
        };
        let ours = format!(
            "select {ordering}, persistence_id::text, sequence_number, deleted, event_payload, \
               jsonb_strip_nulls(jsonb_build_object('sid', event_ser_id, 'sm', nullif(event_ser_manifest, ''), \
                 'em', nullif(adapter_manifest, ''), 'wid', writer, 't', write_timestamp)), \
               (select array_agg(tag::text order by tag::text) from jvm.event_tag where event_id = event.ordering) \
             from jvm.event_journal as event"
        );
        let theirs = format!(
            "select {ordering}, persistence_id, sequence_number, deleted, message, metadata, \
               (select array_agg(name order by name) from public.tags where id = any (event.tags)) \
             from public.journal as event"
        );
        let differing = format!(
            "select count(*) from (({ours} except all {theirs}) union all ({theirs} except all {ours})) as d"
        );
        assert_eq!(self.one::<i64>(&differing).await, 0);
        let ours = "select persistence_id::text, sequence_number, created, snapshot_payload, \
            jsonb_strip_nulls(jsonb_build_object('sid', snapshot_ser_id, 'sm', nullif(snapshot_ser_manifest, ''))) \
            from jvm.snapshot";
        let theirs = "select persistence_id, sequence_number, created, snapshot, metadata from public.snapshot";
        let differing = format!(
            "select count(*) from (({ours} except all {theirs}) union all ({theirs} except all {ours})) as d"
        );
        assert_eq!(self.one::<i64>(&differing).await, 0);
    }
}
