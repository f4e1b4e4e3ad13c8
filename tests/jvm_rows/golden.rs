use std::time::{Duration, Instant};

use annals::Layout;
use annals_postgres::{Connection, Settings, TestDatabase, connect};
use tokio_postgres::types::FromSql;

pub(super) const LAYOUTS: [Layout; 3] = [Layout::Flat, Layout::Ordering, Layout::Nested];

/// A database as the plugin left it, with rows.
pub(super) struct Golden {
    database: TestDatabase,
    connection: Connection,
}

impl Golden {
    /// With the one table that Annals cannot do without.
    pub(super) async fn of(layout: Layout) -> Self {
        let golden = Self::bare(layout).await;
        golden
            .run(include_str!("../../schemas/common/deletion.sql"))
            .await;
        golden
    }

    /// With nothing of Annals.
    pub(super) async fn bare(layout: Layout) -> Self {
        let database = TestDatabase::create().await.unwrap();
        let connection = connect(&database.settings()).await.unwrap();
        let golden = Self {
            database,
            connection,
        };
        golden
            .run("drop schema public cascade; create schema public; grant usage on schema public to public")
            .await;
        golden.run(include_str!("../golden/jvm_common.sql")).await;
        golden
            .run(match layout {
                Layout::Flat => include_str!("../golden/jvm_flat.sql"),
                Layout::Ordering => include_str!("../golden/jvm_ordering.sql"),
                Layout::Nested => include_str!("../golden/jvm_nested.sql"),
            })
            .await;
        golden
    }

    pub(super) fn settings(&self) -> Settings {
        self.database.settings()
    }

    /// A role that owns nothing and may do to the rows what a writer does.
    pub(super) async fn role_that_writes_rows(&self) -> Settings {
        let role = format!("writer_{}", self.settings().database());
        self.run(&format!(
            "create role {role} login; \
             grant select, insert, update, delete on all tables in schema public to {role}; \
             grant usage, select on all sequences in schema public to {role}"
        ))
        .await;
        let mut config = self.settings().config().clone();
        Settings::from_config(config.user(&role).clone()).unwrap()
    }

    pub(super) async fn run(&self, sql: &str) {
        self.connection.batch_execute(sql).await.unwrap();
    }

    pub(super) async fn one<T: for<'a> FromSql<'a>>(&self, sql: &str) -> T {
        self.connection.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(super) async fn column(&self, sql: &str) -> Vec<String> {
        let rows = self.connection.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Waits until a query gives true.
    pub(super) async fn until(&self, sql: &str) {
        let begin = Instant::now();
        while !self.one::<bool>(sql).await {
            let waited = begin.elapsed();
            assert!(waited < Duration::from_secs(60), "never true: {sql}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
