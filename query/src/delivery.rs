//! How what a query reads gets to its reader.

use annals_persistence::{EventEnvelope, QueryError, Selection};
use annals_rows::{EventRows, MalformedRow, persistence_id_of_row};
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

/// Delivers what the rows hold, but for those without an item; says whether there is still a reader. What
/// lies before a malformed row is delivered, so that a reader who passes over that row lacks nothing else.
pub(crate) async fn deliver<T, E: Into<ReadError>>(
    sink: &Sink<T>,
    rows: &[Row],
    mut item: impl FnMut(&Row) -> Result<Option<T>, E>,
) -> Result<bool, ReadError> {
    let mut items = Vec::with_capacity(rows.len());
    let mut malformed = Ok(());
    for row in rows {
        match item(row) {
            Ok(item) => items.extend(item),
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

/// The event in a row that has its persistence id behind the columns of an event, if it is one of the
/// selection.
pub(crate) fn event_of(
    row: &Row,
    events: &mut EventRows,
    which: &Selection,
) -> Result<Option<EventEnvelope>, MalformedRow> {
    let persistence_id = persistence_id_of_row(row)?;
    if which.includes(&persistence_id) {
        events.event(row, 0, &persistence_id).map(Some)
    } else {
        Ok(None)
    }
}
