//! Replays: the ends of a history and its first page in one round trip, which the histories that are
//! asked for at the same time share; the further pages of a long one by themselves.

mod each;
mod first_page;
mod further_pages;
mod look_up;
mod missing;
mod page;
mod selects;
mod whole;

use std::sync::Arc;

use annals_persistence::{PersistenceId, Replay, ReplayError, ReplayEvents, SharedError};
use annals_postgres::{Extent, Layout, Pool, Reader, SharedRead, SharedReads, Unread};
use annals_rows::MalformedRow;
use ractor::RpcReplyPort;

use first_page::most_events;
use further_pages::FurtherPages;
use look_up::{Found, look_up};
use missing::Missing;
use selects::Selects;
use whole::are_whole;

/// Each statement by its name, with arguments that stand for others.
#[cfg(test)]
pub(crate) fn statements(
    layout: Layout,
    extent: Extent,
) -> Vec<(&'static str, String, &'static str)> {
    let Selects {
        together,
        edges,
        whole,
        first_events,
        further_events,
    } = Selects::of(layout, extent);
    let further_events = ("further events", further_events, "'entity-7', 1, 100, 50");
    let deleted = (
        "deleted rows",
        missing::DELETED.to_owned(),
        "'entity-7', 1, 100",
    );
    if !together {
        let first_events = each::FIRST_EVENTS.to_owned();
        return vec![
            ("ends of a history", each::EDGES.to_owned(), "'entity-7', 1"),
            (
                "first events of a history",
                first_events,
                "'entity-7', 1, 100, 50, 1",
            ),
            further_events,
            deleted,
        ];
    }
    let two = "array['entity-7', 'entity-8']";
    let first = "array['entity-7', 'entity-8'], array[1, 1], array[100, 100], array[50, 50]";
    vec![
        ("ends of histories", edges, two),
        (
            "whole histories",
            whole,
            "array['entity-7', 'entity-8'], array[50, 50]",
        ),
        ("first events", first_events, first),
        further_events,
        deleted,
    ]
}

/// Replays the events of persistence ids.
#[derive(Debug)]
pub(crate) struct ReplayReader {
    reads: SharedReads<FirstPages>,
}

impl ReplayReader {
    pub(crate) fn new(pool: Pool, layout: Layout, extent: Extent) -> Self {
        let first_pages = FirstPages {
            pool: Arc::new(pool.clone()),
            selects: Arc::new(Selects::of(layout, extent)),
        };
        Self {
            reads: SharedReads::new(pool, first_pages),
        }
    }

    /// The reply port gets the replay or the reason why there is none; further pages come behind
    /// that.
    pub(crate) fn serve(
        &self,
        wanted: ReplayEvents,
        reply: RpcReplyPort<Result<Replay, ReplayError>>,
    ) {
        self.reads.push(Asked { wanted, reply });
    }

    /// Returns when every reply port has its answer.
    pub(crate) async fn finish(self) {
        self.reads.finish().await;
    }
}

#[derive(Debug)]
struct FirstPages {
    /// For what replays want later.
    pool: Arc<Pool>,
    selects: Arc<Selects>,
}

#[derive(Debug)]
struct Asked {
    wanted: ReplayEvents,
    reply: RpcReplyPort<Result<Replay, ReplayError>>,
}

impl SharedRead for FirstPages {
    type Request = Asked;

    fn is_awaited(&self, asked: &Asked) -> bool {
        !asked.reply.is_closed()
    }

    async fn read(
        &self,
        connection: Reader<'static>,
        requests: Vec<Asked>,
    ) -> Result<(), Unread<Asked>> {
        let most = most_events(requests.len());
        let wanted: Vec<ReplayEvents> = requests.iter().map(|it| it.wanted.clone()).collect();
        let mut requests: Vec<Option<Asked>> = requests.into_iter().map(Some).collect();
        // The last one is answered when the connection is free: its entity may want to read on.
        let mut last = None;
        let found = |place: usize, found| {
            let next = requests[place].take().map(|asked| (asked, found));
            if let Some((asked, found)) = std::mem::replace(&mut last, next) {
                self.answer(asked, found);
            }
        };
        let read = if are_whole(&self.selects, &wanted) {
            whole::look_up(&connection, &self.selects, &wanted, most, found).await
        } else {
            look_up(&connection, &self.selects, &wanted, most, found).await
        };
        drop(connection);
        if let Some((asked, found)) = last {
            self.answer(asked, found);
        }
        let requests: Vec<Asked> = requests.into_iter().flatten().collect();
        match read {
            Ok(()) if requests.is_empty() => Ok(()),
            read => Err(Unread {
                requests,
                reason: read.err(),
            }),
        }
    }

    fn refuse(&self, asked: Asked, source: SharedError) {
        let persistence_id = asked.wanted.persistence_id;
        // One who no longer waits needs no reason.
        let _ = asked.reply.send(Err(ReplayError::Unavailable {
            persistence_id,
            source,
        }));
    }
}

impl FirstPages {
    fn answer(&self, asked: Asked, found: Result<Found, ReplayError>) {
        let Asked { wanted, reply } = asked;
        let Found {
            highest,
            deleted_to,
            page,
        } = match found {
            Ok(found) => found,
            Err(error) => {
                let _ = reply.send(Err(error));
                return;
            }
        };
        let (rest, most) = (page.rest(&wanted), page.next_most());
        let missing = Missing {
            pool: Arc::clone(&self.pool),
            persistence_id: wanted.persistence_id.clone(),
        };
        let replay = Replay::complete(highest, deleted_to, page.events).explained_by(missing);
        // One who no longer waits needs no events, and no further ones.
        match rest {
            None => {
                let _ = reply.send(Ok(replay));
            }
            Some(rest) => {
                let (sink, pages) = FurtherPages::channel();
                if reply.send(Ok(replay.followed_by(pages))).is_ok() {
                    let further =
                        FurtherPages::new(Arc::clone(&self.pool), Arc::clone(&self.selects));
                    tokio::spawn(further.read(rest, most, sink));
                }
            }
        }
    }
}

fn unavailable(
    wanted: &ReplayEvents,
    error: impl std::error::Error + Send + Sync + 'static,
) -> ReplayError {
    ReplayError::Unavailable {
        persistence_id: wanted.persistence_id.clone(),
        source: Arc::new(error),
    }
}

fn unreadable(persistence_id: &PersistenceId, row: MalformedRow) -> ReplayError {
    malformed(persistence_id, row.sequence_number, row.reason)
}

fn malformed(persistence_id: &PersistenceId, sequence_number: i64, reason: String) -> ReplayError {
    ReplayError::MalformedRow {
        persistence_id: persistence_id.clone(),
        sequence_number,
        reason,
    }
}
