//! What the cases that read have in common.

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use tokio_postgres::Client;

/// Rows of events of 100 bytes with what our own writer says of them, made by the server itself.
/// `rows` is SQL that gives a column `number`, and what `persistence_id` is made of.
pub(super) async fn fill(
    connection: &Client,
    persistence_id: &str,
    rows: &str,
) -> Result<(), Box<dyn Error>> {
    let fill = format!(
        "insert into journal (persistence_id, sequence_number, message, tags, metadata) \
         select {persistence_id}, number, decode(repeat('00', 100), 'hex'), '{{}}', \
           '{{\"sid\": 4, \"sm\": \"Deposited\", \"wid\": \"0f8fad5b-d9cb-469f-a165-70867728950e\", \
             \"t\": 1700000000000}}' \
         from {rows}"
    );
    for statement in [&fill, "vacuum analyze journal", "checkpoint"] {
        connection.batch_execute(statement).await?;
    }
    Ok(())
}

/// So many a second, of something that has a name.
pub(super) struct Rate {
    pub(super) a_second: f64,
    of: &'static str,
}

impl Rate {
    /// Reads again and again until the time is over, at least once.
    pub(super) async fn measure(
        of: &'static str,
        time: Duration,
        mut read: impl AsyncFnMut() -> Result<usize, Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        let (begin, mut count) = (Instant::now(), 0);
        loop {
            count += read().await?;
            let elapsed = begin.elapsed();
            if elapsed >= time {
                let a_second = count as f64 / elapsed.as_secs_f64();
                return Ok(Self { a_second, of });
            }
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.0} {} a second", self.a_second, self.of)
    }
}
