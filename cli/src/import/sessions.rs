//! Who else is there, as far as a server tells.

use annals_postgres::Connection;

use super::source::Source;
use crate::failure::Failure;

/// Those that have written in a transaction that is open, and those that a driver of the JVM calls by its
/// name unless it is told otherwise.
const OF_SOURCE: &str = "\
select pid from pg_catalog.pg_stat_activity as session \
where datname = current_database() and pid <> pg_backend_pid() \
  and (application_name = 'PostgreSQL JDBC Driver' \
    or exists (select from pg_catalog.pg_locks as lock where lock.pid = session.pid and granted \
      and relation = 'event_journal'::regclass and mode = 'RowExclusiveLock')) \
order by pid";

const OF_JOURNAL: &str = "\
select pid from pg_catalog.pg_stat_activity as session \
where datname = current_database() and pid <> pg_backend_pid() \
  and (application_name in ('annals', 'PostgreSQL JDBC Driver') \
    or exists (select from pg_catalog.pg_locks as lock where lock.pid = session.pid and granted \
      and relation = 'journal'::regclass and mode = 'RowExclusiveLock')) \
order by pid";

/// What whoever imports should know. A session does not say which persistence ids live in it.
pub(super) async fn warnings(
    source: &Source,
    journal: &Connection,
) -> Result<Vec<String>, Failure> {
    let mut warnings = Vec::new();
    if let Some(pids) = pids(&source.connection, OF_SOURCE).await? {
        warnings.push(format!(
            "somebody may write to the source (processes of its server: {pids}); stop them, or what they write is not imported"
        ));
    }
    if let Some(pids) = pids(journal, OF_JOURNAL).await? {
        warnings.push(format!(
            "somebody may write to the journal (processes of its server: {pids}); no entity that is imported may be live there"
        ));
    }
    Ok(warnings)
}

async fn pids(connection: &Connection, sql: &str) -> Result<Option<String>, Failure> {
    let rows = connection.query(sql, &[]).await?;
    let pids = rows.iter().map(|row| row.try_get::<_, i32>(0));
    let pids: Vec<i32> = pids.collect::<Result<_, _>>()?;
    let words: Vec<String> = pids.iter().map(ToString::to_string).collect();
    Ok((!words.is_empty()).then(|| words.join(", ")))
}
