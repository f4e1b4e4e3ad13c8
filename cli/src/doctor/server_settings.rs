use tokio_postgres::Error;

use super::Patient;
use super::finding::{Finding, or_well};

const CHECK: &str = "settings";

/// Those settings of the server that Annals rests on.
struct Found {
    fsync: bool,
    full_page_writes: bool,
    synchronous_commit: String,
    autovacuum: bool,
    track_counts: bool,
    /// Locks that all transactions together can hold.
    locks: i64,
    partitions: i64,
    work_mem_kib: i64,
}

pub(super) async fn check(patient: &Patient<'_>) -> Result<Vec<Finding>, Error> {
    let row = patient.connection.query_one(SETTINGS, &[]).await?;
    Ok(judge(&Found {
        fsync: row.try_get(0)?,
        full_page_writes: row.try_get(1)?,
        synchronous_commit: row.try_get(2)?,
        autovacuum: row.try_get(3)?,
        track_counts: row.try_get(4)?,
        locks: row.try_get(5)?,
        partitions: row.try_get(6)?,
        work_mem_kib: row.try_get(7)?,
    }))
}

/// A partition with its indexes, in a query that meets all of them.
const LOCKS_OF_A_PARTITION: i64 = 5;

fn judge(found: &Found) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut bad = |is: bool, what: &str, remedy: &str| {
        if is {
            findings.push(Finding::bad(CHECK, what, remedy));
        }
    };
    bad(
        !found.fsync,
        "fsync is off: a crash of the machine can lose or ruin the journal",
        "alter system set fsync = on; select pg_reload_conf()",
    );
    bad(
        !found.full_page_writes,
        "full_page_writes is off: a crash can leave pages half written",
        "alter system set full_page_writes = on; select pg_reload_conf()",
    );
    bad(
        found.synchronous_commit == "off",
        "synchronous_commit is off: the last events that were acknowledged are lost in a crash",
        "set synchronous_commit to on, or to local, for the database and the roles that write",
    );
    bad(
        !found.autovacuum || !found.track_counts,
        "autovacuum or track_counts is off: dead rows stay, and the tags of new events are found slowly",
        "set both to on",
    );
    let needed = found.partitions * LOCKS_OF_A_PARTITION;
    if found.partitions > 0 && needed > found.locks / 2 {
        let what = format!(
            "{} partitions take up to {needed} locks a query, and all transactions together have {}",
            found.partitions, found.locks
        );
        let remedy =
            "raise max_locks_per_transaction and start the server again, or detach old partitions";
        findings.push(Finding::warn(CHECK, what, remedy));
    }
    if found.work_mem_kib < 4096 {
        let what = format!(
            "work_mem is {} kB: the places of the events of a tag do not fit",
            found.work_mem_kib
        );
        findings.push(Finding::warn(
            CHECK,
            what,
            "set work_mem to 4MB or more for the roles that read",
        ));
    }
    or_well(CHECK, findings, "as they should be")
}

const SETTINGS: &str = "
    select
        current_setting('fsync')::boolean, current_setting('full_page_writes')::boolean,
        current_setting('synchronous_commit'),
        current_setting('autovacuum')::boolean, current_setting('track_counts')::boolean,
        current_setting('max_locks_per_transaction')::bigint
            * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint),
        (select count(*) from pg_partition_tree('journal') where isleaf and level > 0),
        (select setting::bigint from pg_settings where name = 'work_mem')";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn safe() -> Found {
        Found {
            fsync: true,
            full_page_writes: true,
            synchronous_commit: "on".to_owned(),
            autovacuum: true,
            track_counts: true,
            locks: 6400,
            partitions: 640,
            work_mem_kib: 4096,
        }
    }

    fn level(found: &Found) -> Level {
        judge(found)[0].level
    }

    #[test]
    fn what_loses_events_is_bad_and_what_is_short_a_warning() {
        assert_eq!(level(&safe()), Level::Ok);
        assert_eq!(
            level(&Found {
                fsync: false,
                ..safe()
            }),
            Level::Bad
        );
        assert_eq!(
            level(&Found {
                full_page_writes: false,
                ..safe()
            }),
            Level::Bad
        );
        let off = "off".to_owned();
        assert_eq!(
            level(&Found {
                synchronous_commit: off,
                ..safe()
            }),
            Level::Bad
        );
        assert_eq!(
            level(&Found {
                autovacuum: false,
                ..safe()
            }),
            Level::Bad
        );
        assert_eq!(
            level(&Found {
                partitions: 641,
                ..safe()
            }),
            Level::Warn
        );
        assert_eq!(
            level(&Found {
                work_mem_kib: 64,
                ..safe()
            }),
            Level::Warn
        );
    }
}
