use tokio_postgres::Error;

use super::Patient;
use super::finding::{Finding, or_well};

const CHECK: &str = "vacuum";

/// What is left behind in a table, or in a part of one.
struct Table {
    name: String,
    live: i64,
    dead: i64,
    /// Days since it was vacuumed, by whomever; none where it never was.
    days: Option<i64>,
    /// Transactions since its rows were frozen, and how many there may be.
    age: i64,
    freeze_at: i64,
}

pub(super) async fn check(patient: &Patient<'_>) -> Result<Vec<Finding>, Error> {
    let rows = patient.connection.query(TABLES, &[]).await?;
    let table = |row: &tokio_postgres::Row| {
        Ok(Table {
            name: row.try_get(0)?,
            live: row.try_get(1)?,
            dead: row.try_get(2)?,
            days: row.try_get(3)?,
            age: row.try_get(4)?,
            freeze_at: row.try_get(5)?,
        })
    };
    let tables = rows.iter().map(table).collect::<Result<Vec<_>, Error>>()?;
    Ok(judge(&tables))
}

/// Fewer are cheaper than a word.
const WORTH_A_WORD: i64 = 10_000;
/// Of 2^31, at which the server takes no more writes.
const NEAR_THE_END: i64 = 1_600_000_000;

fn judge(tables: &[Table]) -> Vec<Finding> {
    let finding = |it: &Table| {
        let Table {
            name,
            live,
            dead,
            age,
            ..
        } = it;
        let vacuumed = match it.days {
            Some(days) => format!("vacuumed {days} days ago"),
            None => "never vacuumed since statistics are kept".to_owned(),
        };
        if *age >= NEAR_THE_END {
            let what = format!(
                "{name} holds rows of {age} transactions ago ({vacuumed}): at 2,147,483,647 the server takes no more writes"
            );
            return Some(Finding::bad(
                CHECK,
                what,
                format!("vacuum (freeze) {name}; end what holds it up"),
            ));
        }
        if *age > it.freeze_at * 3 / 2 {
            let what = format!(
                "{name} holds rows of {age} transactions ago, and autovacuum was to freeze them at {} ({vacuumed})",
                it.freeze_at
            );
            return Some(Finding::warn(
                CHECK,
                what,
                format!("vacuum (freeze) {name}; see what holds autovacuum up"),
            ));
        }
        let bloated = *dead >= WORTH_A_WORD && dead.saturating_mul(5) > *live;
        bloated.then(|| {
            let what = format!("{name} has {dead} dead rows beside {live} live ones ({vacuumed})");
            Finding::warn(
                CHECK,
                what,
                format!("vacuum {name}; see the check of transactions if that removes nothing"),
            )
        })
    };
    or_well(
        CHECK,
        tables.iter().filter_map(finding).take(20).collect(),
        "few dead rows, none too old",
    )
}

const TABLES: &str = "
    select c.oid::regclass::text, coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0),
        (extract(epoch from now() - greatest(s.last_vacuum, s.last_autovacuum)) / 86400)::bigint,
        age(c.relfrozenxid)::bigint, current_setting('autovacuum_freeze_max_age')::bigint
    from pg_class c left join pg_stat_user_tables s on s.relid = c.oid
    where c.relkind = 'r' and c.relfrozenxid <> '0'::xid and (
        c.relnamespace = (select relnamespace from pg_class where oid = 'journal'::regclass)
        or c.oid in (select relid from pg_partition_tree('journal')))
    order by coalesce(s.n_dead_tup, 0) desc, 1";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn many_dead_rows_are_a_warning_and_a_wraparound_ahead_is_bad() {
        let level = |live, dead, age| {
            judge(&[Table {
                name: "journal".to_owned(),
                live,
                dead,
                days: None,
                age,
                freeze_at: 200_000_000,
            }])[0]
                .level
        };
        assert_eq!(level(1_000_000, 200_000, 0), Level::Ok);
        assert_eq!(level(1_000_000, 200_001, 0), Level::Warn);
        assert_eq!(level(10, 9_999, 0), Level::Ok, "few");
        assert_eq!(level(10, 0, 300_000_001), Level::Warn);
        assert_eq!(level(10, 0, 1_600_000_000), Level::Bad);
    }
}
