use annals_postgres::Layout;
use tokio_postgres::Error;

use super::Patient;
use super::finding::{Finding, or_well};

const CHECK: &str = "indexes";

struct Index {
    name: String,
    table: String,
    valid: bool,
    unique: bool,
    scans: i64,
    bytes: i64,
}

pub(super) async fn check(patient: &Patient<'_>) -> Result<Vec<Finding>, Error> {
    let rows = patient.connection.query(INDEXES, &[]).await?;
    let index = |row: &tokio_postgres::Row| {
        Ok(Index {
            name: row.try_get(0)?,
            table: row.try_get(1)?,
            valid: row.try_get(2)?,
            unique: row.try_get(3)?,
            scans: row.try_get(4)?,
            bytes: row.try_get(5)?,
        })
    };
    let indexes = rows.iter().map(index).collect::<Result<Vec<_>, Error>>()?;
    Ok(judge(patient.shape.layout, &indexes))
}

/// An index that small costs nobody anything.
const WORTH_A_WORD: i64 = 64 << 20;

/// The one that the JVM plugin alone needs.
const OF_THE_JVM: &str = "journal_ordering_idx";

fn judge(layout: Layout, indexes: &[Index]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, table, serves) in wanted(layout) {
        if !indexes.iter().any(|it| it.name == *name) {
            let what = format!("the index {name} on {table} is missing: it serves {serves}");
            let remedy = format!(
                "create it as the file in schemas/ that names {name} does, concurrently where it is large"
            );
            findings.push(Finding::bad(CHECK, what, remedy));
        }
    }
    for it in indexes {
        let Index { name, table, .. } = it;
        if !it.valid {
            let what =
                format!("the index {name} on {table} is not valid: its making was interrupted");
            let remedy =
                format!("reindex index concurrently {name}; or drop it and create it again");
            findings.push(Finding::bad(CHECK, what, remedy));
        } else if it.scans == 0 && !it.unique && it.bytes >= WORTH_A_WORD && name != OF_THE_JVM {
            let mib = it.bytes >> 20;
            let what = format!(
                "the index {name} on {table} takes {mib} MiB and was never used since statistics are kept"
            );
            let remedy = "drop it if nobody queries by it, on any standby either";
            findings.push(Finding::warn(CHECK, what, remedy));
        }
    }
    or_well(CHECK, findings, "all are there, valid and used, or small")
}

type Wanted = (&'static str, &'static str, &'static str);

fn wanted(layout: Layout) -> &'static [Wanted] {
    const FLAT: &[Wanted] = &[
        (
            "journal_ordering_btree_idx",
            "journal",
            "every reader across persistence ids",
        ),
        ("journal_tags_idx", "journal", "queries by tag"),
        (
            "tags_name_idx",
            "tags",
            "the number of a tag, which must be one",
        ),
        (
            "journal_deletion_pending_idx",
            "journal_deletion",
            "the erasing of deleted events",
        ),
    ];
    match layout {
        // The key is the ordering there.
        Layout::Ordering => FLAT.split_at(1).1,
        Layout::Flat | Layout::Nested => FLAT,
    }
}

/// Those of tables in the schema of the journal, whole ones and not their parts.
const INDEXES: &str = "
    select
        i.relname::text, t.relname::text, x.indisvalid, x.indisunique,
        coalesce((select sum(s.idx_scan) from pg_stat_user_indexes s
                  where s.indexrelid = i.oid or s.indexrelid in (select relid from pg_partition_tree(i.oid))), 0)::bigint,
        coalesce((select sum(pg_relation_size(relid)) from pg_partition_tree(i.oid)), pg_relation_size(i.oid))::bigint
    from pg_index x
    join pg_class i on i.oid = x.indexrelid
    join pg_class t on t.oid = x.indrelid
    where t.relnamespace = (select relnamespace from pg_class where oid = 'journal'::regclass)
      and t.relname in ('journal', 'tags', 'snapshot', 'journal_metadata', 'journal_deletion', 'durable_state')
    order by t.relname, i.relname";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn index(name: &str) -> Index {
        Index {
            name: name.to_owned(),
            table: "journal".to_owned(),
            valid: true,
            unique: false,
            scans: 1,
            bytes: 1 << 30,
        }
    }

    fn whole() -> Vec<Index> {
        wanted(Layout::Flat).iter().map(|it| index(it.0)).collect()
    }

    #[test]
    fn missing_and_invalid_is_bad_and_unused_is_a_warning() {
        let levels = |indexes: &[Index]| -> Vec<Level> {
            judge(Layout::Flat, indexes)
                .iter()
                .map(|it| it.level)
                .collect()
        };
        assert_eq!(levels(&whole()), [Level::Ok]);
        assert_eq!(levels(&whole()[1..]), [Level::Bad]);
        let mut indexes = whole();
        indexes[1].valid = false;
        indexes[2].scans = 0;
        assert_eq!(levels(&indexes), [Level::Bad, Level::Warn]);
        indexes[1].valid = true;
        indexes[2].bytes = 4096;
        assert_eq!(levels(&indexes), [Level::Ok], "small");
    }
}
