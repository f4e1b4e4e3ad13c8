//! Whether a pooler such as PgBouncer stands between a client and the server.
//!
//! A pooler in transaction mode lends a session for one transaction. What a session remembers, such as
//! prepared statements and settings, is then lost, or found by the next client that is lent it.

use tokio::io::{AsyncReadExt, duplex};
use tokio_postgres::{Client, Error, NoTls, SimpleQueryMessage};

use crate::connection::Role;

/// Asks the session for its process and compares it with the one that the client was told at its start,
/// for cancelling: the server tells its own, a pooler makes one up. Where there is none, the session is made
/// ready for `role` in the same round trip.
pub(crate) async fn look_for_pooler(client: &Client, role: Role) -> Result<bool, Error> {
    let told = told_process(client).await?;
    let prepare = match role {
        Role::Writer => String::new(),
        // Not by `options`: PgBouncer refuses start-up options that it does not know. And not in a borrowed
        // session, which goes to others.
        Role::Reader => format!(", case when pg_backend_pid() = {told} then {READER} end"),
    };
    let question = format!("select pg_backend_pid() = {told}{prepare}");
    let answer = client.simple_query(&question).await?;
    let same = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(same != Some("t"))
}

/// Makes a session ready for queries.
pub(crate) async fn make_ready(client: &Client) -> Result<(), Error> {
    client.batch_execute(&format!("select {READER}")).await
}

const READER: &str =
    "set_config('plan_cache_mode', 'force_custom_plan', false) || set_config('jit', 'off', false)";

/// The driver tells it to nobody, but writes it into a request to cancel: that has a length, a code, the
/// process and a key, of four bytes each.
async fn told_process(client: &Client) -> Result<i32, Error> {
    let (mut ours, request) = duplex(16);
    client
        .cancel_token()
        .cancel_query_raw(request, NoTls)
        .await?;
    let mut bytes = [0; 16];
    // Nobody but us holds the other end, so nothing can be missing.
    let _ = ours.read_exact(&mut bytes).await;
    Ok(i32::from_be_bytes([
        bytes[8], bytes[9], bytes[10], bytes[11],
    ]))
}
