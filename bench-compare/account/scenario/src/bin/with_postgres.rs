//! Runs a program beside a private PostgreSQL. The drivers of the JVM know no Unix sockets, so the
//! server is behind a port of the loopback as well: `DATABASE_JDBC_URL`.

use std::process::ExitCode;

use scenario::{BoxError, place_of, started};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio::process::Command;

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let mut words = std::env::args_os().skip(1);
    let program = words.next().ok_or("usage: with_postgres PROGRAM ...")?;

    let server = started().await;
    let place = place_of(&server);
    let door = TcpListener::bind("127.0.0.1:0").await?;
    let port = door.local_addr()?.port();
    tokio::spawn(forward(door, format!("{}/.s.PGSQL.5432", place.host)));

    let url = format!(
        "jdbc:postgresql://127.0.0.1:{port}/{}?user={}",
        place.database, place.user
    );
    let status = Command::new(program)
        .args(words)
        .env("DATABASE_JDBC_URL", url)
        .status()
        .await?;
    server.stop().await?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn forward(door: TcpListener, socket: String) {
    while let Ok((mut client, _)) = door.accept().await {
        let socket = socket.clone();
        tokio::spawn(async move {
            // A side that hangs up ends its connection, and nothing else.
            if let Ok(mut server) = UnixStream::connect(socket).await {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}
