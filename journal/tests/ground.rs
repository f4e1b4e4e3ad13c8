//! A journal of each kind, which many batches go through one after the other.

use annals_journal::JournalSettings;
use annals_postgres::{Connection, Layout};

use crate::guilt::{forbid_rows, forbid_rows_of_partitions};
use crate::store::{ONE_LANE, Store, one, partitions_of};

/// What the statements of a lane depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Flat,
    FlatWithMetadata,
    Ordering,
    Nested,
}

/// It is emptied before each batch, so that each finds the partitions that those before it have made, and
/// begins a few numbers before an edge.
pub(crate) struct Ground {
    pub(crate) kind: Kind,
    pub(crate) store: Store,
    observer: Connection,
}

/// Orderings of a partition.
const ORDERINGS: u64 = 40;

/// Sequence numbers of a partition of one persistence id.
const SEQUENCE_NUMBERS: u64 = 3;

/// What a rule of the user's needs stays; the next ordering is not far from the edge.
const EMPTY: &str = "\
delete from journal where persistence_id <> 'one of a kind'; \
delete from journal_metadata where persistence_id <> 'one of a kind'; \
select setval('journal_ordering_seq', 30)";

/// For each persistence id what its row in `journal_metadata` says and the events do not, and the other way
/// round.
const WRONG: &str = "\
select coalesce(string_agg(it::text, ' '), '') from ( \
  select persistence_id, max(sequence_number) as last, min(ordering) as lowest, max(ordering) as highest \
  from journal group by 1 \
) as it full join journal_metadata as kept using (persistence_id) \
where (last, highest) is distinct from (max_sequence_number, max_ordering) \
  or min_ordering not in (lowest, -1)";

/// Whether some event lies in another partition than another of the same persistence id, or of all.
const OVER_EDGES: &str = "\
select count(*) > 1 from (select distinct tableoid from journal where persistence_id <> 'one of a kind') as it";

/// Persistence id, sequence number and text of all events.
pub(crate) type Rows = Vec<(String, i64, String)>;

impl Ground {
    pub(crate) async fn new(kind: Kind, journal: JournalSettings) -> Self {
        let made = match kind {
            Kind::Flat => partitions_of(Layout::Flat, 1),
            Kind::FlatWithMetadata => partitions_of(Layout::Flat, 1).keep_metadata(),
            Kind::Ordering => partitions_of(Layout::Ordering, ORDERINGS),
            Kind::Nested => partitions_of(Layout::Nested, SEQUENCE_NUMBERS),
        };
        let store = Store::made_as(&made, journal).await;
        let observer = store.connect().await;
        Self {
            kind,
            store,
            observer,
        }
    }

    pub(crate) async fn with_one_lane(kind: Kind) -> Self {
        Self::new(kind, ONE_LANE).await
    }

    /// Rules that need no trigger that could pass over rows.
    pub(crate) async fn forbid_rows(&self) {
        match self.kind {
            Kind::Flat | Kind::FlatWithMetadata => forbid_rows(&self.store).await,
            Kind::Ordering | Kind::Nested => forbid_rows_of_partitions(&self.store).await,
        }
    }

    pub(crate) async fn empty(&self) {
        self.run(EMPTY).await;
    }

    /// Runs some SQL on the one connection that is kept for that.
    pub(crate) async fn run(&self, sql: &str) {
        self.observer.batch_execute(sql).await.unwrap();
    }

    /// What is stored, in order, where the metadata says the same.
    pub(crate) async fn rows(&self) -> Rows {
        if self.kind != Kind::Flat {
            let wrong: String = one(&self.observer, WRONG).await;
            assert_eq!(wrong, "", "the metadata of {:?}", self.kind);
        }
        if matches!(self.kind, Kind::Ordering | Kind::Nested) {
            assert!(one::<bool>(&self.observer, OVER_EDGES).await, "no edge");
        }
        let sql = "select persistence_id, sequence_number, convert_from(message, 'UTF8') from journal \
                   where persistence_id <> 'one of a kind' order by persistence_id collate \"C\", ordering";
        let rows = self.observer.query(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect()
    }
}

/// A test of its own for each kind.
macro_rules! in_each_kind {
    ($($test:ident)*) => {
        mod flat {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(crate::ground::Kind::Flat).await;
            })*
        }
        mod flat_with_metadata {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(crate::ground::Kind::FlatWithMetadata).await;
            })*
        }
        mod ordering {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(crate::ground::Kind::Ordering).await;
            })*
        }
        mod nested {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(crate::ground::Kind::Nested).await;
            })*
        }
    };
}

pub(crate) use in_each_kind;
