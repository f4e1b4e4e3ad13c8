use std::sync::Arc;

use annals_persistence::{
    EventEnvelope, IdSelection, Offset, Passed, PersistenceId, QueryError, QueryMessage, QueryRef,
    Selection, SequenceNumber, Tail,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::event_log::{EventLog, Events};

/// Queries over an [`EventLog`]. There is no horizon to wait for: an event gets its offset and
/// becomes visible at one and the same moment.
pub(crate) struct MemoryQuery;

impl MemoryQuery {
    pub(crate) async fn over(log: Arc<EventLog>) -> QueryRef {
        let (actor, _) = Actor::spawn(None, MemoryQueryActor, log)
            .await
            .expect("an actor without a name that reads nothing at its start always starts");
        QueryRef::new(actor.get_derived())
    }
}

struct MemoryQueryActor;

/// The queries that run; they end with their readers, or with the actor.
struct Running {
    log: Arc<EventLog>,
    readings: JoinSet<()>,
}

type Sink<T> = mpsc::Sender<Result<Vec<T>, QueryError>>;

/// Items of one batch: few, so that short tests meet the seams between batches too.
const ROWS: usize = 100;

impl Actor for MemoryQueryActor {
    type Msg = QueryMessage;
    type State = Running;
    type Arguments = Arc<EventLog>;

    async fn pre_start(
        &self,
        _myself: ActorRef<QueryMessage>,
        log: Arc<EventLog>,
    ) -> Result<Running, ActorProcessingErr> {
        Ok(Running {
            log,
            readings: JoinSet::new(),
        })
    }

    async fn handle(
        &self,
        _myself: ActorRef<QueryMessage>,
        message: QueryMessage,
        running: &mut Running,
    ) -> Result<(), ActorProcessingErr> {
        while running.readings.try_join_next().is_some() {}
        match message {
            QueryMessage::PersistenceIds { which, tail, sink } => match tail {
                Tail::Current => running.start(tail, sink, ids_there(which)),
                Tail::Live => running.start(tail, sink, ids_as_they_come(which)),
            },
            QueryMessage::EventsByPersistenceId {
                persistence_id,
                from,
                to,
                tail,
                sink,
            } => {
                running.start(tail, sink, by_persistence_id(persistence_id, from, to));
            }
            QueryMessage::Events {
                which,
                after,
                tail,
                passed,
                sink,
            } => running.start_passing(tail, sink, passed, selected(which, after, tail)),
        }
        Ok(())
    }
}

impl Running {
    fn start<T: Send + 'static>(
        &mut self,
        tail: Tail,
        sink: Sink<T>,
        pages: impl FnMut(&Events, Offset) -> Result<Page<T>, QueryError> + Send + 'static,
    ) {
        self.start_passing(tail, sink, Passed::default(), pages);
    }

    fn start_passing<T: Send + 'static>(
        &mut self,
        tail: Tail,
        sink: Sink<T>,
        passed: Passed,
        pages: impl FnMut(&Events, Offset) -> Result<Page<T>, QueryError> + Send + 'static,
    ) {
        let log = Arc::clone(&self.log);
        self.readings.spawn(serve(log, tail, sink, passed, pages));
    }
}

/// What one look at the events gave.
enum Page<T> {
    Items(Vec<T>),
    /// Nothing now; perhaps later.
    Nothing,
    /// Nothing, and never again.
    End,
}

impl<T> Page<T> {
    fn of(items: Vec<T>) -> Self {
        if items.is_empty() {
            Self::Nothing
        } else {
            Self::Items(items)
        }
    }
}

/// Sends page after page, each a look at the events up to an offset, until the end or until nobody
/// reads any more.
async fn serve<T>(
    log: Arc<EventLog>,
    tail: Tail,
    sink: Sink<T>,
    passed: Passed,
    mut pages: impl FnMut(&Events, Offset) -> Result<Page<T>, QueryError>,
) {
    let mut news = log.news();
    loop {
        let until = *news.borrow_and_update();
        loop {
            match log.read(|events| pages(events, until)) {
                Ok(Page::Items(items)) => {
                    if sink.send(Ok(items)).await.is_err() {
                        return;
                    }
                }
                Ok(Page::Nothing) => break passed.set(until),
                Ok(Page::End) => return passed.set(until),
                Err(error) => {
                    // A reader that is gone needs no error.
                    let _ = sink.send(Err(error)).await;
                    return;
                }
            }
        }
        if tail == Tail::Current {
            return;
        }
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return },
            () = sink.closed() => return,
        }
    }
}

/// In the order of their text, so that a page can go on behind the one before.
fn ids_there(
    which: IdSelection,
) -> impl FnMut(&Events, Offset) -> Result<Page<PersistenceId>, QueryError> {
    let mut is_done = false;
    move |events, until| {
        if is_done {
            return Ok(Page::End);
        }
        is_done = true;
        let mut ids: Vec<PersistenceId> = events
            .ids(Offset::start(), until)
            .map(|(_, id)| id.clone())
            .filter(|id| which.includes(id) && which.after_id().is_none_or(|after| id > after))
            .collect();
        ids.sort_unstable();
        ids.truncate(usize::try_from(which.limit()).unwrap_or(usize::MAX));
        Ok(Page::of(ids))
    }
}

fn ids_as_they_come(
    which: IdSelection,
) -> impl FnMut(&Events, Offset) -> Result<Page<PersistenceId>, QueryError> {
    let (mut after, mut left) = (Offset::start(), which.limit());
    move |events, until| {
        if left == 0 {
            return Ok(Page::End);
        }
        let mut items = Vec::new();
        for (offset, id) in events.ids(after, until) {
            if items.len() == ROWS || items.len() as u64 == left {
                break;
            }
            after = offset;
            if which.includes(id) && which.after_id().is_none_or(|after| id > after) {
                items.push(id.clone());
            }
        }
        left -= items.len() as u64;
        Ok(Page::of(items))
    }
}

fn by_persistence_id(
    persistence_id: PersistenceId,
    mut from: SequenceNumber,
    to: SequenceNumber,
) -> impl FnMut(&Events, Offset) -> Result<Page<EventEnvelope>, QueryError> {
    let mut is_done = from > to;
    move |events, until| {
        if is_done {
            return Ok(Page::End);
        }
        let items: Vec<EventEnvelope> = events
            .of(&persistence_id, from, to)
            .filter(|event| event.offset <= until)
            .take(ROWS)
            .cloned()
            .collect();
        if let Some(last) = items.last() {
            is_done = last.sequence_number >= to;
            from = last.sequence_number.next();
        }
        Ok(Page::of(items))
    }
}

fn selected(
    which: Selection,
    mut after: Offset,
    tail: Tail,
) -> impl FnMut(&Events, Offset) -> Result<Page<EventEnvelope>, QueryError> {
    move |events, until| {
        let mut named = which.tags().into_iter().flat_map(|tags| tags.tags());
        if tail == Tail::Current
            && let Some(unknown) = named.find(|tag| !events.knows(tag))
        {
            return Err(QueryError::UnknownTag {
                tag: unknown.as_str().to_owned(),
            });
        }
        let items: Vec<EventEnvelope> = events
            .selected(&which, after, until)
            .take(ROWS)
            .cloned()
            .collect();
        // What was looked at in vain is not looked at again.
        after = match items.last() {
            Some(last) if items.len() == ROWS => last.offset,
            _ => after.max(until),
        };
        Ok(Page::of(items))
    }
}
