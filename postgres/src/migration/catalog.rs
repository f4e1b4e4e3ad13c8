use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use super::{MigrateError, Origin};
use crate::{Layout, NewJournal};

/// What the first schema of the `search_path` holds.
pub(super) struct Found {
    pub(super) origin: Origin,
    schema: String,
    exists: bool,
    /// `pg_partitioned_table.partstrat` of the journal.
    divided: Option<i8>,
    /// What differs from the tables of the JVM plugin.
    problem: Option<Problem>,
}

/// A table that is there and is not that of a journal.
pub(crate) struct Problem {
    pub(crate) table: String,
    pub(crate) problem: String,
}

impl Problem {
    /// The first one in the schema.
    pub(crate) async fn first(client: &Client, schema: &str) -> Result<Option<Self>, Error> {
        let row = client
            .query_typed_opt(PROBLEMS, &[(&schema, Type::TEXT)])
            .await?;
        row.map(|it| {
            Ok(Self {
                table: it.try_get(0)?,
                problem: it.try_get(1)?,
            })
        })
        .transpose()
    }
}

impl Found {
    pub(super) async fn read(client: &Client) -> Result<Self, Error> {
        let row = client.query_typed_one(JOURNAL, &[]).await?;
        let (schema, exists, divided): (String, bool, Option<i8>) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let origin = if has_bookkeeping(client).await? {
            Origin::Annals
        } else if exists {
            Origin::Adopted {
                row_trigger: row.try_get(3)?,
            }
        } else {
            Origin::Fresh
        };
        let problem = Problem::first(client, &schema).await?;
        Ok(Self {
            origin,
            schema,
            exists,
            divided,
            problem,
        })
    }

    /// That of the journal that is there, or the wanted one.
    pub(super) fn layout(&self, wanted: Option<&NewJournal>) -> Result<Layout, MigrateError> {
        if !self.exists {
            return Ok(wanted.map_or(Layout::Flat, |it| it.layout));
        }
        let Some(there) = Layout::of_strategy(self.divided) else {
            return Err(MigrateError::UnknownLayout {
                schema: self.schema.clone(),
            });
        };
        match wanted {
            Some(wanted) if wanted.layout != there => Err(MigrateError::OtherLayout {
                schema: self.schema.clone(),
                found: there,
                wanted: wanted.layout,
            }),
            _ => Ok(there),
        }
    }

    /// Before anything is written: tables of the same name may be somebody else's.
    pub(super) fn check(self, layout: Layout) -> Result<(), MigrateError> {
        match self.problem {
            Some(Problem { table, problem }) => Err(MigrateError::Unrecognised {
                schema: self.schema,
                table,
                problem,
                layout,
            }),
            None => Ok(()),
        }
    }
}

pub(super) async fn has_bookkeeping(client: &Client) -> Result<bool, Error> {
    // Only the schema in which `create table` would put it: another one further down the path
    // belongs to another journal.
    let there = "select to_regclass(format('%I.annals_schema', current_schema())) is not null";
    client.query_typed_one(there, &[]).await?.try_get(0)
}

pub(super) async fn check_server(client: &Client) -> Result<(), MigrateError> {
    let version =
        "select current_setting('server_version_num')::int, current_setting('server_version')";
    let row = client.query_typed_one(version, &[]).await?;
    match row.try_get::<_, i32>(0)? {
        140_000.. => Ok(()),
        _ => Err(MigrateError::ServerTooOld {
            found: row.try_get(1)?,
        }),
    }
}

pub(super) async fn check_schema(client: &Client) -> Result<(), MigrateError> {
    let schema = "select current_schema() is not null, current_setting('search_path')";
    let row = client.query_typed_one(schema, &[]).await?;
    if row.try_get(0)? {
        return Ok(());
    }
    Err(MigrateError::NoSchema {
        search_path: row.try_get(1)?,
    })
}

/// SHA-256 in hex, in the order of the texts.
pub(super) async fn checksums<'a>(
    client: &Client,
    texts: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, Error> {
    let texts: Vec<&[u8]> = texts.map(str::as_bytes).collect();
    let sql = "select encode(sha256(text), 'hex') from unnest($1::bytea[]) with ordinality as t (text, place) order by place";
    client
        .query(sql, &[&texts])
        .await?
        .iter()
        .map(|it| it.try_get(0))
        .collect()
}

pub(super) async fn warn_if_intarray_is_hidden(client: &Client) -> Result<(), Error> {
    let hidden = "
        select n.nspname::text from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
        where e.extname = 'intarray' and not n.nspname = any (current_schemas(true))";
    if let Some(row) = client.query_typed_opt(hidden, &[]).await? {
        let schema: String = row.try_get(0)?;
        tracing::warn!(
            schema,
            "intarray is not in search_path: a query by tag uses the index only with operators written as operator({schema}.@>); \
             add {schema} at the end of search_path"
        );
    }
    Ok(())
}

const JOURNAL: &str = "
    select current_schema()::text,
           c.oid is not null,
           p.partstrat,
           exists (
               select from pg_catalog.pg_trigger t
               join pg_catalog.pg_proc f on f.oid = t.tgfoid
               where t.tgrelid = c.oid and not t.tgisinternal and t.tgenabled in ('O', 'A') and f.prosrc like '%journal_metadata%'
           )
    from (values (to_regclass(format('%I.journal', current_schema())))) as j (oid)
    left join pg_catalog.pg_class c on c.oid = j.oid
    left join pg_catalog.pg_partitioned_table p on p.partrelid = c.oid";

/// The first difference between the tables that are there in the schema $1 and what Annals reads and writes. The
/// order of columns, further columns and the number of partitions are nobody's business.
const PROBLEMS: &str = "
    with wanted (tbl, col, type) as (values
        ('journal', 'ordering', 'int8'), ('journal', 'sequence_number', 'int8'), ('journal', 'deleted', 'bool'),
        ('journal', 'persistence_id', 'text'), ('journal', 'message', 'bytea'), ('journal', 'tags', '_int4'),
        ('journal', 'metadata', 'jsonb'),
        ('tags', 'id', 'int8'), ('tags', 'name', 'text'),
        ('snapshot', 'persistence_id', 'text'), ('snapshot', 'sequence_number', 'int8'), ('snapshot', 'created', 'int8'),
        ('snapshot', 'snapshot', 'bytea'), ('snapshot', 'metadata', 'jsonb'),
        ('journal_metadata', 'persistence_id', 'text'), ('journal_metadata', 'max_sequence_number', 'int8'),
        ('journal_metadata', 'min_ordering', 'int8'), ('journal_metadata', 'max_ordering', 'int8')
    ), there as (
        select w.*, to_regclass(format('%I.%I', $1::text, w.tbl)) as oid from wanted w
    ), columns as (
        select t.tbl, format('the column %s should be of type %s and is %s', t.col, t.type, coalesce(y.typname, 'missing')) as problem
        from there t
        left join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attname = t.col and not a.attisdropped
        left join pg_catalog.pg_type y on y.oid = a.atttypid
        where t.oid is not null and y.typname is distinct from t.type
    ), keys (tbl, cols) as (values
        ('snapshot', array['persistence_id', 'sequence_number']),
        ('journal_metadata', array['persistence_id'])
        union all
        -- Divided by ordering it has that key in each partition only.
        select 'journal', case when exists (
            select from pg_catalog.pg_partitioned_table p
            where p.partrelid = to_regclass(format('%I.journal', $1::text)) and p.partstrat = 'r'
        ) then array['ordering'] else array['persistence_id', 'sequence_number'] end
    ), unguarded as (
        select k.tbl, format('(%s) is not unique', array_to_string(k.cols, ', ')) as problem
        from keys k
        where to_regclass(format('%I.%I', $1::text, k.tbl)) is not null
          and not exists (
            select from pg_catalog.pg_index i
            where i.indrelid = to_regclass(format('%I.%I', $1::text, k.tbl))
              and i.indisunique and i.indisvalid and i.indpred is null
              and k.cols = array(
                select a.attname::text from pg_catalog.pg_attribute a
                where a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[]) order by a.attname))
    )
    select tbl, problem from columns union all select tbl, problem from unguarded limit 1";
