use std::fs;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::Stdio;

use annals::Connection;
use annals_postgres::{Layout, NewJournal, TestDatabase};
use tempfile::TempDir;
use tokio::process::Command;

/// A journal with events in several partitions of a hundred numbers, and a folder for archives.
pub(super) struct World {
    pub(super) database: TestDatabase,
    pub(super) connection: Connection,
    pub(super) archives: TempDir,
    /// Partitions that are whole, the oldest first.
    pub(super) partitions: Vec<String>,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Nothing where it was killed.
    pub(super) code: Option<i32>,
    pub(super) said: String,
}

/// Ten histories, mixed; 750 events in ten partitions.
const ORDERING: &str = "\
do $$ begin for n in 0..9 loop execute format( \
  'create table j_%1$s (like journal including all); \
   create unique index j_%1$s_persistence_sequence_idx on j_%1$s (persistence_id, sequence_number); \
   alter table journal attach partition j_%1$s for values from (%2$s) to (%3$s)', n, n * 100, n * 100 + 100); \
end loop; end $$; \
insert into journal (ordering, sequence_number, persistence_id, message, tags, metadata) \
select nextval('journal_ordering_seq'), (n - 1) / 10 + 1, 'Account|' || n % 10, convert_to('text ' || n, 'UTF8'), \
  case n % 3 when 0 then '{}' when 1 then array[n % 5 + 1] end::int[], \
  jsonb_build_object('sid', 20, 'wid', 'w', 't', 1700000000000 + n, 'note', E'\\u00e4 \\\\ \" \\n') \
from generate_series(1, 750) as n";

/// What makes names and values hard to quote; one name is as long as names can be.
pub(super) const HOSTILE: [&str; 2] = [
    "j led'ger \"x\" \\y $1 %s 'ü' `z`",
    "j_Üüüüüüüüüüüüüüüüüüüüüüüüüüüüüa",
];

/// A partition each for two histories of 450 events, in six parts.
const NESTED: &str = "\
do $$ declare name text; begin foreach name in array current_setting('test.names')::text[] loop \
  execute format('create table %I (like journal including all) partition by range (sequence_number)', name); \
  for n in 0..5 loop execute format( \
    'create table %1$I (like journal including all); \
     alter table %2$I attach partition %1$I for values from (%3$s) to (%4$s)', name || '_' || n, name, n * 100, n * 100 + 100); \
  end loop; \
  execute format('alter table journal attach partition %I for values in (%L)', name, name); \
end loop; end $$; \
insert into journal (sequence_number, persistence_id, message, tags, metadata) \
select n, name, convert_to('text ' || n, 'UTF8'), case n % 3 when 0 then '{}' when 1 then array[n % 5 + 1] end::int[], \
  jsonb_build_object('sid', 20, 'wid', 'w', 't', 1700000000000 + n) \
from generate_series(1, 450) as n, unnest(current_setting('test.names')::text[]) as name";

const TAGS: &str = "insert into tags (name) select 'tag ' || n from generate_series(1, 5) as n";

/// A snapshot at the last event of each.
const SNAPSHOTS: &str = "\
insert into snapshot select persistence_id, max(sequence_number), 1, '', '{}' from journal group by persistence_id \
on conflict do nothing";

/// The session of a command has ended, and with it the lock.
pub(super) const NOBODY_WORKS: &str = "\
select not exists (select from pg_stat_activity \
  where application_name = 'annals partitions' and datname = current_database())";

const CONTENT: &str = "\
select md5(string_agg(row(ordering, sequence_number, deleted, persistence_id, message, tags, metadata)::text, '|' order by ordering)) \
from journal";

impl World {
    /// Nobody has a snapshot.
    pub(super) async fn fresh(layout: Layout) -> Self {
        let hundred = NonZeroU64::new(100).unwrap();
        let journal = NewJournal::new(layout).partition_size(hundred);
        let database = TestDatabase::create_as(&journal).await.unwrap();
        let connection = database.connect().await.unwrap();
        connection.batch_execute(TAGS).await.unwrap();
        let partitions = if layout == Layout::Ordering {
            connection.batch_execute(ORDERING).await.unwrap();
            (0..7).map(|n| format!("j_{n}")).collect()
        } else {
            let names = HOSTILE.map(ToOwned::to_owned).to_vec();
            let names: &(dyn tokio_postgres::types::ToSql + Sync) = &names;
            let set = "select set_config('test.names', $1::text[]::text, false)";
            connection.query_one(set, &[names]).await.unwrap();
            connection.batch_execute(NESTED).await.unwrap();
            (0..4).map(|n| format!("{}_{n}", HOSTILE[0])).collect()
        };
        Self {
            database,
            connection,
            archives: tempfile::tempdir().unwrap(),
            partitions,
        }
    }

    /// No partition but the newest is needed by anybody.
    pub(super) async fn of(layout: Layout) -> Self {
        let world = Self::fresh(layout).await;
        world.sql(SNAPSHOTS).await;
        world
    }

    pub(super) async fn by_ordering() -> Self {
        Self::of(Layout::Ordering).await
    }

    pub(super) async fn sql(&self, sql: &str) {
        self.connection.batch_execute(sql).await.unwrap();
    }

    /// A single value, as text.
    pub(super) async fn one(&self, sql: &str) -> String {
        let row = self.connection.query_one(sql, &[]).await.unwrap();
        row.get(0)
    }

    /// Everything that readers see.
    pub(super) async fn content(&self) -> String {
        self.one(CONTENT).await
    }

    pub(super) async fn state(&self, partition: &str) -> String {
        let state = "select state from partition_life where partition = $1";
        let row = self.connection.query_opt(state, &[&partition]).await;
        row.unwrap()
            .map_or_else(|| "attached".to_owned(), |it| it.get(0))
    }

    pub(super) fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let path = format!("{}/scripts/partitions/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(path);
        command
            .args(arguments)
            .env("DATABASE_URL", self.database.url())
            .env("ANNALS_ARCHIVES", self.archives.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(super) async fn run(&self, name: &str, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(name, arguments)).await
    }

    /// It does what it was told.
    pub(super) async fn does(&self, name: &str, arguments: &[&str]) -> String {
        let outcome = self.run(name, arguments).await;
        assert_eq!(outcome.code, Some(0), "{name} {arguments:?}: {outcome:?}");
        outcome.said
    }

    /// It ends with that code and says that.
    pub(super) async fn ends(&self, name: &str, arguments: &[&str], code: i32, says: &str) {
        let outcome = self.run(name, arguments).await;
        assert_eq!(
            outcome.code,
            Some(code),
            "{name} {arguments:?}: {outcome:?}"
        );
        assert!(
            outcome.said.contains(says),
            "{name} {arguments:?}: {outcome:?}"
        );
    }

    /// Kills itself at that point; then waits until its session has ended.
    pub(super) async fn is_killed(&self, name: &str, arguments: &[&str], point: &str) {
        let mut command = self.command(name, arguments);
        let outcome = Outcome::of(command.env("ANNALS_PARTITIONS_STOP_AT", point)).await;
        assert_eq!(outcome.code, None, "{name} at {point}: {outcome:?}");
        self.until(NOBODY_WORKS).await;
    }

    pub(super) async fn until(&self, condition: &str) {
        let wait = async {
            loop {
                let row = self.connection.query_one(condition, &[]).await.unwrap();
                if row.get(0) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let limit = std::time::Duration::from_secs(60);
        tokio::time::timeout(limit, wait).await.expect(condition);
    }

    /// The file of the archive with that ending; there is one.
    pub(super) fn archive(&self, ending: &str) -> PathBuf {
        let files = fs::read_dir(self.archives.path()).unwrap();
        let mut found = files
            .map(|it| it.unwrap().path())
            .filter(|it| it.to_string_lossy().ends_with(ending));
        let one = found.next().unwrap();
        assert_eq!(found.next(), None);
        one
    }
}

impl Outcome {
    pub(super) async fn of(command: &mut Command) -> Self {
        let output = command.output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        Self {
            code: output.status.code(),
            said: String::from_utf8(said).unwrap(),
        }
    }
}
