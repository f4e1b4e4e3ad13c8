use tokio_postgres::Error;

use super::Patient;
use super::finding::{Finding, or_well};

const CHECK: &str = "transactions";

/// A transaction that is open for long.
struct Open {
    /// None where it is prepared.
    pid: Option<i32>,
    /// What it is called, where it is prepared; what runs it, where not.
    name: String,
    seconds: i64,
    /// Whether it may have written to the journal.
    holds_horizon: bool,
}

pub(super) async fn check(patient: &Patient<'_>) -> Result<Vec<Finding>, Error> {
    let rows = patient.connection.query(OPEN, &[]).await?;
    let open = |row: &tokio_postgres::Row| {
        Ok(Open {
            pid: row.try_get(0)?,
            name: row.try_get(1)?,
            seconds: row.try_get(2)?,
            holds_horizon: row.try_get(3)?,
        })
    };
    let open = rows.iter().map(open).collect::<Result<Vec<_>, Error>>()?;
    Ok(judge(&open))
}

const HOLDS_READERS: i64 = 10;
const KEEPS_THE_DEAD: i64 = 3600;

fn judge(open: &[Open]) -> Vec<Finding> {
    let finding = |it: &Open| {
        let Open {
            pid, name, seconds, ..
        } = it;
        let who = match pid {
            Some(pid) => format!("the transaction of pid {pid} ({name})"),
            None => format!("the prepared transaction {name}"),
        };
        let end = match pid {
            Some(pid) => format!("end it, or: select pg_terminate_backend({pid})"),
            None => format!(
                "commit prepared '{0}', or rollback prepared '{0}'",
                name.replace('\'', "''")
            ),
        };
        let age = format!("is open for {seconds} s");
        if it.holds_horizon && *seconds >= HOLDS_READERS {
            let what = format!("{who} {age} and has written to the journal: no reader passes it");
            return Some(Finding::bad(CHECK, what, end));
        }
        if pid.is_none() {
            let what = format!("{who} {age}: vacuum removes nothing that died since");
            return Some(Finding::warn(CHECK, what, end));
        }
        (*seconds >= KEEPS_THE_DEAD).then(|| {
            let what = format!("{who} {age}: vacuum removes nothing that died since");
            Finding::warn(CHECK, what, end)
        })
    };
    or_well(
        CHECK,
        open.iter().filter_map(finding).collect(),
        "none is open for long",
    )
}

/// Those of this database, but for our own.
const OPEN: &str = "
    with holders as (
        select virtualtransaction, pid from pg_locks
        where locktype = 'relation' and mode = 'RowExclusiveLock' and granted and relation = 'journal'::regclass
          and database = (select oid from pg_database where datname = current_database())
    )
    select a.pid, coalesce(nullif(a.application_name, ''), a.usename, '?'),
        extract(epoch from clock_timestamp() - a.xact_start)::bigint,
        a.pid in (select pid from holders where pid is not null)
    from pg_stat_activity a
    where a.datname = current_database() and a.xact_start is not null and a.pid <> pg_backend_pid()
      and a.backend_type = 'client backend'
    union all
    select null, p.gid, extract(epoch from clock_timestamp() - p.prepared)::bigint,
        -- It has lost its process and kept its name.
        exists (select from pg_locks l join holders h on h.virtualtransaction = l.virtualtransaction
                where l.locktype = 'transactionid' and l.transactionid = p.transaction)
    from pg_prepared_xacts p where p.database = current_database()
    order by 3 desc";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn who_holds_up_readers_is_bad_and_who_keeps_the_dead_a_warning() {
        let level = |pid, seconds, holds_horizon| {
            judge(&[Open {
                pid,
                name: "x".to_owned(),
                seconds,
                holds_horizon,
            }])[0]
                .level
        };
        assert_eq!(level(Some(1), 9, true), Level::Ok, "it may be quick");
        assert_eq!(level(Some(1), 10, true), Level::Bad);
        assert_eq!(level(Some(1), 3599, false), Level::Ok);
        assert_eq!(level(Some(1), 3600, false), Level::Warn);
        assert_eq!(level(None, 0, false), Level::Warn);
        assert_eq!(level(None, 60, true), Level::Bad);
    }
}
