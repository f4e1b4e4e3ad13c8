use std::collections::HashMap;
use std::ops::Range;

use annals_postgres::Connection;
use tokio_postgres::{Error, Row};

use super::NAMES;
use crate::partitions::bounds::{parse_list, parse_range};
use crate::partitions::names::partition;

/// The partition of a persistence id.
#[derive(Clone, Debug)]
pub(super) struct Home {
    /// As SQL names it.
    pub(super) table: String,
    /// Without quotes and schema.
    pub(super) name: String,
    /// Whether it has parts; a table without parts takes any number.
    pub(super) is_divided: bool,
    pub(super) parts: Vec<Range<i64>>,
    /// Whether it has one of our names.
    pub(super) by_name: bool,
}

/// Partitions of the journal, of those names or all, with what they and their parts are for. Also those
/// that are being detached: their values are taken until that has ended.
macro_rules! partitions {
    ($($from:literal)+) => {
        concat!(
            "select c.oid::regclass::text, c.relkind = 'p', pg_get_expr(c.relpartbound, c.oid), \
               array(select pg_get_expr(p.relpartbound, p.oid) from pg_catalog.pg_inherits of_c \
                     join pg_catalog.pg_class p on p.oid = of_c.inhrelid where of_c.inhparent = c.oid), \
               c.relname::text ",
            $($from)+
        )
    };
}

/// One look-up a name.
const BY_NAME: &str = partitions!(
    "from (select to_regclass(quote_ident(name)) as oid from unnest($1::text[]) as names (name)) as named \
     join pg_catalog.pg_class c on c.oid = named.oid \
     join pg_catalog.pg_inherits i on i.inhrelid = c.oid and i.inhparent = 'journal'::regclass"
);

/// Reads the entry of every partition of the journal once.
const BY_BOUND: &str = partitions!(
    "from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid \
     where i.inhparent = 'journal'::regclass \
       and position($1 in pg_get_expr(c.relpartbound, c.oid)) > 0"
);

/// The partitions of these persistence ids that have one of our names.
pub(super) async fn homes(
    connection: &Connection,
    prefix: &str,
    ids: &[&str],
) -> Result<HashMap<String, Home>, Error> {
    let names: Vec<String> = ids
        .iter()
        .flat_map(|id| (0..NAMES).map(|attempt| partition(prefix, id, attempt)))
        .collect();
    let rows = connection.query(BY_NAME, &[&names]).await?;
    let mut homes = HashMap::new();
    for row in &rows {
        for id in values(row)? {
            homes.insert(id, home(row, true)?);
        }
    }
    Ok(homes)
}

/// The partition of a persistence id whatever its name.
pub(super) async fn foreign_home(connection: &Connection, id: &str) -> Result<Option<Home>, Error> {
    let literal = format!("'{}'", id.replace('\'', "''"));
    for row in connection.query(BY_BOUND, &[&literal]).await? {
        if values(&row)?.iter().any(|it| it == id) {
            return home(&row, false).map(Some);
        }
    }
    Ok(None)
}

fn values(row: &Row) -> Result<Vec<String>, Error> {
    let bound: Option<&str> = row.try_get(2)?;
    Ok(bound.and_then(parse_list).unwrap_or_default())
}

fn home(row: &Row, by_name: bool) -> Result<Home, Error> {
    let parts: Vec<Option<&str>> = row.try_get(3)?;
    Ok(Home {
        table: row.try_get(0)?,
        name: row.try_get(4)?,
        is_divided: row.try_get(1)?,
        parts: parts
            .into_iter()
            .flatten()
            .filter_map(parse_range)
            .collect(),
        by_name,
    })
}
