//! How what a query reads gets to its reader.

use annals_persistence::QueryError;
use tokio::sync::mpsc;
use tokio_postgres::Row;

use crate::read_error::ReadError;

pub(crate) type Sink<T> = mpsc::Sender<Result<Vec<T>, QueryError>>;

/// Reads to the end, to an error or until the reader is gone, whichever comes first. What is asked
/// of the server at that moment is cancelled there.
pub(crate) async fn serve<T>(sink: &Sink<T>, reading: impl Future<Output = Result<(), ReadError>>) {
    let end = tokio::select! {
        end = reading => end,
        () = sink.closed() => return,
    };
    if let Err(error) = end {
        // A reader that is gone needs no error.
        let _ = sink.send(Err(error.into())).await;
    }
}

/// Delivers what the rows hold; says whether there is still a reader. What lies before a malformed
/// row is delivered, so that a reader who passes over that row lacks nothing else.
pub(crate) async fn deliver<T, E: Into<ReadError>>(
    sink: &Sink<T>,
    rows: &[Row],
    item: impl Fn(&Row) -> Result<T, E>,
) -> Result<bool, ReadError> {
    let mut items = Vec::with_capacity(rows.len());
    let mut malformed = Ok(());
    for row in rows {
        match item(row) {
            Ok(item) => items.push(item),
            Err(error) => {
                malformed = Err(error.into());
                break;
            }
        }
    }
    if !items.is_empty() && sink.send(Ok(items)).await.is_err() {
        return Ok(false);
    }
    malformed.map(|()| true)
}
