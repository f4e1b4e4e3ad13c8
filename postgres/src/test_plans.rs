use tokio_postgres::{Error, SimpleQueryMessage};

use crate::Connection;

/// The plan that the server makes of `sql` for all parameters, without what depends on the machine.
/// `arguments` stand in for those that decide which partitions are left out before anything runs.
///
/// Every server plans in its own way: plans that are kept in files are those of PostgreSQL 15, and
/// [`plans_are_comparable`] says whether this is one.
pub async fn plan_of(connection: &Connection, sql: &str, arguments: &str) -> Result<String, Error> {
    explain(
        connection,
        "costs off",
        "force_generic_plan",
        sql,
        arguments,
    )
    .await
}

/// What the server did to run `sql` with these arguments, planned for them.
pub async fn run_of(connection: &Connection, sql: &str, arguments: &str) -> Result<String, Error> {
    let options = "analyze, costs off, timing off, summary off";
    explain(connection, options, "force_custom_plan", sql, arguments).await
}

/// Whether plans of this server can be compared with those that are kept; says so where not.
pub async fn plans_are_comparable(connection: &Connection) -> Result<bool, Error> {
    let row = connection.query_one("show server_version_num", &[]).await?;
    let version: String = row.try_get(0)?;
    let comparable = version.starts_with("15");
    if !comparable {
        eprintln!(
            "NOT COMPARED: the plans that are kept are those of PostgreSQL 15, this server is {version}"
        );
    }
    Ok(comparable)
}

async fn explain(
    connection: &Connection,
    options: &str,
    mode: &str,
    sql: &str,
    arguments: &str,
) -> Result<String, Error> {
    let prepare =
        format!("set jit = off; set plan_cache_mode = {mode}; prepare explained as {sql}");
    connection.batch_execute(&prepare).await?;
    let explain = format!("explain ({options}) execute explained({arguments})");
    let lines = connection.simple_query(&explain).await?;
    connection.batch_execute("deallocate explained").await?;
    let lines = lines.iter().filter_map(|line| match line {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// SQL for an empty journal: so many histories of so many events, one behind the other, with their
/// metadata, and metadata of others whose events are gone.
pub fn filled_journal(histories: u32, events: u32) -> String {
    format!(
        "select set_config('annals.writer', 'on', false); \
         insert into journal (ordering, persistence_id, sequence_number, message, tags, metadata) \
         select nextval('journal_ordering_seq'), 'entity-' || e, n, '\\x00', '{{1}}', '{{\"sid\": 4, \"wid\": \"w\", \"t\": 1}}' \
         from (select e, n from generate_series(1, {histories}) as e, generate_series(1, {events}) as n order by e, n) as it; \
         insert into journal_metadata (persistence_id, max_sequence_number, min_ordering, max_ordering) \
         select persistence_id, max(sequence_number), min(ordering), max(ordering) from journal group by 1; \
         insert into journal_metadata (persistence_id, max_sequence_number, min_ordering, max_ordering) \
         select 'gone-' || n, 5, 1, 5 from generate_series(1, 10000) as n; \
         insert into journal_deletion (persistence_id, deleted_to) \
         select 'gone-' || n, 5 from generate_series(1, 1000) as n; \
         analyze"
    )
}

/// SQL for an empty journal by ordering: its partitions up to the ordering 20,000.
pub const PARTITIONS_BY_ORDERING: &str = "
do $$
begin
    for n in 0..(select 20000 / partition_size from journal_settings) loop
        execute format('create table j_%s (like journal including all)', n);
        execute format('create unique index j_%s_persistence_sequence_idx on j_%s (persistence_id, sequence_number)', n, n);
        execute format('alter table journal attach partition j_%s for values from (%s) to (%s)', n,
            n * (select partition_size from journal_settings), (n + 1) * (select partition_size from journal_settings));
    end loop;
end
$$";
