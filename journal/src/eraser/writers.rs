use std::collections::HashSet;
use std::time::Duration;

use annals_postgres::Connection;
use tokio_postgres::Error;

/// Everybody who writes to the journal, by transaction: an insert takes this lock before it sees
/// anything.
const WRITERS: &str = "\
select virtualtransaction from pg_locks \
where locktype = 'relation' and mode = 'RowExclusiveLock' and granted \
  and relation = 'journal'::regclass \
  and database = (select oid from pg_database where datname = current_database())";

const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(500);

/// Waits until everybody who writes now has ended. A writer that began before a mark was moved does
/// not see it, so the numbers below it are guarded by their rows alone: these must not go before it
/// has ended. Who begins later sees the mark.
pub(super) async fn wait_for_writers(connection: &Connection) -> Result<(), Error> {
    let mut before = writers(connection).await?;
    let mut pause = SHORTEST;
    while !before.is_empty() {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
        let now = writers(connection).await?;
        before.retain(|writer| now.contains(writer));
    }
    Ok(())
}

async fn writers(connection: &Connection) -> Result<HashSet<String>, Error> {
    let rows = connection.query(WRITERS, &[]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
