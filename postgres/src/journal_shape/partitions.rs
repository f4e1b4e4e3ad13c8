use tokio_postgres::{Client, Error};

/// What the partitions that are there say about those to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Partitions {
    /// Orderings, or sequence numbers in the nested layout, of each.
    pub(super) size: i64,
    /// What their names begin with.
    pub(super) prefix: String,
}

impl Partitions {
    /// As those behind the highest one are; the JVM plugin's defaults where there are none.
    pub(super) async fn of_journal(client: &Client) -> Result<Self, Error> {
        let row = client.query_typed_one(FOUND, &[]).await?;
        let (size, prefix): (Option<i64>, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
        Ok(Self {
            size: size.unwrap_or(10_000_000),
            prefix: prefix.unwrap_or_else(|| "j".to_owned()),
        })
    }
}

/// The number at the end of a name tells whether it is one of the grid: partitions that fill a gap
/// between others have other sizes and names. What stands before the number is the prefix, and in the
/// nested layout the persistence id behind it, as the JVM plugin writes it in names.
///
/// journal_settings.sql asks the same when it adopts a journal.
const FOUND: &str = r#"
    with recursive journal_tree as (
        select 'journal'::regclass::oid as oid, null::name as parent, null::text collate "C" as bound
        union all
        select i.inhrelid, p.relname, pg_get_expr(p.relpartbound, p.oid)
        from pg_catalog.pg_inherits i join journal_tree t on i.inhparent = t.oid
        join pg_catalog.pg_class p on p.oid = t.oid
    ), ranges as (
        select
            regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \(''(\d+)''\) TO \(''(\d+)''\)$')::bigint[] as edges,
            regexp_match(c.relname, '^(.+)_(\d{1,18})$') as name,
            t.parent,
            lower(regexp_replace(
                replace(substring(t.bound from '^FOR VALUES IN \(''(.*)''\)$'), '''''', ''''), '[^A-Za-z0-9_]', '_', 'g'
            )) as id
        from journal_tree t join pg_catalog.pg_class c on c.oid = t.oid
        where c.relispartition and c.relkind = 'r'
    ), numbered as (
        select
            edges[2] - edges[1] as size, edges[1] as lowest,
            case
                when id is null then name[1]
                when parent like '%\_' || replace(id, '_', '\_') then left(parent, - length(id) - 1)
            end as prefix
        from ranges where edges is not null and name[2]::bigint * (edges[2] - edges[1]) = edges[1]
    )
    select
        (select size from numbered order by lowest desc limit 1),
        (select prefix from numbered where prefix ~ '^[a-z_][a-z0-9_]{0,15}$' order by lowest desc limit 1)"#;
