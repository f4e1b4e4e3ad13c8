use annals_postgres::Connection;
use serde_json::{Value, json};
use tokio_postgres::{Error, Row};

/// A table with all its partitions.
pub(super) struct TableSize {
    pub(super) name: String,
    /// None as long as it was never vacuumed or analysed.
    pub(super) rows: Option<i64>,
    pub(super) dead: i64,
    /// With what lies beside it because it is long.
    pub(super) heap: i64,
    pub(super) indexes: i64,
}

impl TableSize {
    pub(super) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "rows": self.rows,
            "dead_rows": self.dead,
            "table_bytes": self.heap,
            "index_bytes": self.indexes,
        })
    }
}

/// Those of the schema of the journal that are ours.
pub(super) async fn read(connection: &Connection) -> Result<Vec<TableSize>, Error> {
    let size = |row: &Row| {
        Ok(TableSize {
            name: row.try_get(0)?,
            rows: row.try_get(1)?,
            dead: row.try_get(2)?,
            heap: row.try_get(3)?,
            indexes: row.try_get(4)?,
        })
    };
    let rows = connection.query(SIZES, &[]).await?;
    rows.iter().map(size).collect()
}

const SIZES: &str = "
    with wanted (place, name) as (values
        (1, 'journal'), (2, 'journal_metadata'), (3, 'journal_deletion'), (4, 'tags'), (5, 'snapshot'),
        (6, 'durable_state'), (7, 'projection_range'), (8, 'projection_dead_letter')
    ), there as (
        select w.place, w.name, c.oid from wanted w
        join pg_class c on c.relname = w.name
          and c.relnamespace = (select relnamespace from pg_class where oid = 'journal'::regclass)
    )
    select
        t.name,
        case when bool_and(c.reltuples >= 0) then sum(c.reltuples)::bigint end,
        coalesce(sum(s.n_dead_tup), 0)::bigint,
        coalesce(sum(pg_table_size(c.oid)), 0)::bigint,
        coalesce(sum(pg_indexes_size(c.oid)), 0)::bigint
    from there t
    cross join lateral (
        select relid from pg_partition_tree(t.oid) where isleaf
        union select t.oid::regclass
    ) as leaf
    join pg_class c on c.oid = leaf.relid and c.relkind = 'r'
    left join pg_stat_user_tables s on s.relid = c.oid
    group by t.place, t.name order by t.place";
