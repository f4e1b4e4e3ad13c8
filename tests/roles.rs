//! `schemas/roles.sql`: each role can do its work, and nothing else.

use annals::tokio_postgres::error::SqlState;
use annals::{Annals, Connection, Offset, Options, Settings, connect};
use annals_postgres::{Layout, NewJournal, TestDatabase};
use futures::TryStreamExt;
use tokio::process::Command;

use crate::account::{Account, deposit};

const KINDS: [&str; 4] = ["owner", "writer", "reader", "ops"];

struct Roles {
    database: TestDatabase,
}

impl Roles {
    async fn of(layout: Layout) -> Self {
        let journal = NewJournal::new(layout).partition_size(10.try_into().unwrap());
        let database = TestDatabase::create_as(&journal).await.unwrap();
        let roles = Self { database };
        // Twice, since it is run after each migration.
        for _ in 0..2 {
            roles.grant().await;
        }
        let let_in = format!("alter role {} login", roles.name("owner"));
        let admin = roles.database.connect().await.unwrap();
        admin.batch_execute(&let_in).await.unwrap();
        roles
    }

    async fn grant(&self) {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/roles.sql");
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-f", file]);
        for kind in KINDS {
            psql.args(["-v", &format!("{kind}={}", self.name(kind))]);
        }
        let output = psql.arg(self.database.url()).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(said.is_empty(), "{said}");
    }

    /// Roles belong to the server, on which other tests are at work.
    fn name(&self, kind: &str) -> String {
        format!("{kind} of {}", self.database.settings().database()).replace(' ', "_")
    }

    fn settings(&self, kind: &str) -> Settings {
        let mut config = self.database.settings().config().clone();
        config.user(self.name(kind));
        Settings::from_config(config).unwrap()
    }

    async fn open(&self, kind: &str) -> Annals {
        let options = Options::new(self.settings(kind));
        let options = if kind == "owner" {
            options
        } else {
            options.without_migrations()
        };
        options.open().await.unwrap()
    }

    async fn connect(&self, kind: &str) -> Connection {
        connect(&self.settings(kind)).await.unwrap()
    }

    async fn script(&self, name: &str, arguments: &[&str], archives: &std::path::Path) {
        let user = self.database.settings().user().to_owned();
        let theirs = format!("//{}@", self.name("ops"));
        let url = self.database.url().replace(&format!("//{user}@"), &theirs);
        let path = format!("{}/scripts/partitions/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(path);
        command.args(arguments).env("DATABASE_URL", url);
        let output = command
            .env("ANNALS_ARCHIVES", archives)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
    }

    /// Every statement is refused for want of a privilege.
    async fn refuses(&self, kind: &str, statements: &[&str]) {
        let connection = self.connect(kind).await;
        for statement in statements {
            match connection.batch_execute(statement).await {
                Ok(()) => panic!("{kind} may {statement}"),
                Err(error) => {
                    let code = error.code();
                    assert_eq!(
                        code,
                        Some(&SqlState::INSUFFICIENT_PRIVILEGE),
                        "{kind}: {statement}: {error:?}"
                    );
                }
            }
        }
    }
}

/// So many more events, by an entity that recovers before.
async fn deposit_some(annals: &Annals, times: i64) {
    let account = annals.entity::<Account>("a").await.unwrap();
    for _ in 0..times {
        account.ask(deposit(7)).await.unwrap();
    }
}

const NOBODYS: [&str; 6] = [
    "create table mine (n int)",
    "truncate journal",
    "drop table tags",
    "update journal_settings set partition_size = 5",
    "delete from partition_life",
    "update annals_schema set checksum = ''",
];

#[tokio::test(flavor = "multi_thread")]
async fn each_role_does_its_work_and_nothing_else() {
    for layout in [Layout::Flat, Layout::Ordering, Layout::Nested] {
        let roles = Roles::of(layout).await;

        let owner = roles.open("owner").await;
        deposit_some(&owner, 30).await;

        let writer = roles.open("writer").await;
        deposit_some(&writer, 5).await;
        writer.shutdown().await;
        roles.refuses("writer", &NOBODYS).await;
        let of_others = [
            "update journal set message = ''",
            "delete from journal_metadata",
            "delete from tags",
            "insert into projection_version (projection, version) values ('p', 1)",
            "insert into reader_position values ('r', 1)",
            "delete from durable_state",
        ];
        roles.refuses("writer", &of_others).await;
        let erases = "update journal set deleted = true where false; delete from journal where false; \
                      delete from snapshot where false; insert into journal_deletion values ('none', 0)";
        roles
            .connect("writer")
            .await
            .batch_execute(erases)
            .await
            .unwrap();

        let reader = roles.open("reader").await;
        let read: Vec<_> = reader
            .query()
            .current_events_by_tag("deposits", Offset::start())
            .try_collect()
            .await
            .unwrap();
        assert_eq!(read.len(), 35, "{layout}");
        reader.shutdown().await;
        roles.refuses("reader", &NOBODYS).await;
        let of_others = [
            "insert into journal (ordering, sequence_number, persistence_id, message, metadata) values (1, 1, 'x', '', '{}')",
            "update journal set deleted = true",
            "delete from journal",
            "insert into tags (name) values ('x')",
            "insert into snapshot values ('x', 1, 1, '', '{}')",
            "insert into journal_deletion values ('x', 1)",
            "select nextval('journal_ordering_seq')",
            "delete from durable_state",
        ];
        roles.refuses("reader", &of_others).await;
        let projects = "insert into projection_version (projection, version) values ('p', 1); \
                        delete from projection_version; \
                        insert into reader_position values ('r', 1); delete from reader_position";
        roles
            .connect("reader")
            .await
            .batch_execute(projects)
            .await
            .unwrap();

        owner.shutdown().await;
        if layout.is_partitioned() {
            take_through_its_life(&roles).await;
        }
        // Not its tables: not the server either.
        roles
            .refuses(
                "ops",
                &[
                    "create role somebody",
                    "create database somewhere",
                    "select pg_read_file('/etc/passwd')",
                ],
            )
            .await;
    }
}

async fn take_through_its_life(roles: &Roles) {
    let ops = roles.connect("ops").await;
    let snapshot = "insert into snapshot select persistence_id, max(sequence_number), 1, '', '{}' from journal group by persistence_id \
                    on conflict do nothing";
    roles
        .connect("writer")
        .await
        .batch_execute(snapshot)
        .await
        .unwrap();
    let oldest = "select tableoid::regclass::text from journal order by ordering limit 1";
    let oldest: String = ops.query_one(oldest, &[]).await.unwrap().get(0);
    let archives = tempfile::tempdir().unwrap();
    for step in ["detach", "archive", "verify", "drop", "restore", "attach"] {
        roles.script(step, &[&oldest], archives.path()).await;
    }
    let whose = "select tableowner, (select changed_by from partition_life) from pg_tables where tablename = $1";
    let row = ops.query_one(whose, &[&oldest]).await.unwrap();
    let (owner, by): (String, String) = (row.get(0), row.get(1));
    assert_eq!(owner, roles.name("owner"));
    assert_eq!(by, roles.name("ops"));
}
