use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use annals_persistence::{
    EventEnvelope, EventStream, IdSelection, Metadata, Offset, PersistenceId, QueryError,
    QueryMessage, QueryRef, Selection, SequenceNumber, Tail,
};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, future, stream};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{mpsc, watch};

use super::selections;

/// What is wrong with queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    CurrentLacksTheNewest,
    CurrentNeverEnds,
    CutsLargeExpressions,
    DealsEventsOut,
    Doubles,
    DropsForSlowReaders,
    EndsAllWithOne,
    EndsWhereNothingBelongs,
    ForgetsTheRestBesideTags,
    GivesDeleted,
    GivesFirstBatchOnly,
    GivesRefused,
    HasNoEventsOfOne,
    HasNoIds,
    HasNoLive,
    HasNoSelections,
    HasNoTags,
    HashesBytes,
    IgnoresCaseOfIds,
    IgnoresCaseOfTags,
    IgnoresFrom,
    IgnoresLimits,
    IgnoresNotLive,
    IgnoresSlices,
    IgnoresTypes,
    LastSliceIsExclusive,
    LiveEnds,
    LooksAtNamedTagsOnly,
    LosesAtTheSeam,
    LosesMetadata,
    MixesUpSubscribers,
    NeverReachesTo,
    NeverWakes,
    NewTagIsUnknown,
    NothingBehindStrangers,
    OffsetIsInclusive,
    PagesAreInclusive,
    PagesBeginLate,
    ResolvesTagsOnce,
    SortsByTimestamp,
    SwapsNeighbours,
    TakesOrForAnd,
    ToIsExclusive,
    TypeIsPrefix,
    UnknownTagIsEmpty,
}

/// Queries that do what the sound ones behind them do, but for the fault.
pub(super) async fn spawn(sound: QueryRef, fault: Option<Fault>) -> QueryRef {
    let proxy = Proxy {
        sound,
        fault,
        live: Arc::default(),
        one_has_left: Arc::new(watch::channel(false).0),
        first_live: Arc::default(),
    };
    let (actor, _) = Actor::spawn(None, ProxyActor, proxy)
        .await
        .expect("a proxy");
    QueryRef::new(actor.get_derived())
}

struct ProxyActor;

#[derive(Clone)]
struct Proxy {
    sound: QueryRef,
    fault: Option<Fault>,
    /// How many live queries there have been.
    live: Arc<AtomicUsize>,
    one_has_left: Arc<watch::Sender<bool>>,
    /// What the first live query asked for.
    first_live: Arc<OnceLock<Selection>>,
}

pub(super) type Items<T> = BoxStream<'static, Result<T, QueryError>>;
type Sink<T> = mpsc::Sender<Result<Vec<T>, QueryError>>;

impl Actor for ProxyActor {
    type Msg = QueryMessage;
    type State = Proxy;
    type Arguments = Proxy;

    async fn pre_start(
        &self,
        _myself: ActorRef<QueryMessage>,
        proxy: Proxy,
    ) -> Result<Proxy, ActorProcessingErr> {
        Ok(proxy)
    }

    async fn handle(
        &self,
        _myself: ActorRef<QueryMessage>,
        message: QueryMessage,
        proxy: &mut Proxy,
    ) -> Result<(), ActorProcessingErr> {
        let proxy = proxy.clone();
        match message {
            QueryMessage::PersistenceIds { which, tail, sink } => {
                tokio::spawn(async move {
                    let open = move |proxy: &Proxy, tail| proxy.ids(&which, tail);
                    let items = open(&proxy, proxy.tail(tail));
                    let items = proxy.spoiled(tail, items.boxed(), open).await;
                    proxy.send(items, sink).await;
                });
            }
            QueryMessage::EventsByPersistenceId {
                persistence_id,
                from,
                to,
                tail,
                sink,
            } => {
                tokio::spawn(async move {
                    let open = move |proxy: &Proxy, tail| {
                        proxy.by_persistence_id(&persistence_id, from, to, tail)
                    };
                    let items = proxy.events(tail, open).await;
                    proxy.send(items, sink).await;
                });
            }
            QueryMessage::Events {
                which,
                after,
                tail,
                sink,
                ..
            } => {
                tokio::spawn(async move {
                    let open = move |proxy: &Proxy, tail| proxy.selected(&which, after, tail);
                    let items = proxy.events(tail, open).await;
                    proxy.send(items, sink).await;
                });
            }
        }
        Ok(())
    }
}

impl Proxy {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// What the query is opened as.
    fn tail(&self, tail: Tail) -> Tail {
        match self.fault {
            Some(Fault::CurrentNeverEnds) => Tail::Live,
            Some(Fault::LiveEnds | Fault::NeverWakes) => Tail::Current,
            _ => tail,
        }
    }

    fn ids(&self, which: &IdSelection, tail: Tail) -> Items<PersistenceId> {
        if self.has(Fault::HasNoIds) || (self.has(Fault::HasNoLive) && tail == Tail::Live) {
            return refused();
        }
        if self.has(Fault::HasNoSelections) && selections::is_more_than_all(which) {
            return refused();
        }
        let ids: Items<PersistenceId> = match tail {
            Tail::Current => selections::misread_ids(self.fault, &self.sound, which),
            Tail::Live => self.sound.persistence_ids().boxed(),
        };
        match self.fault {
            Some(Fault::IgnoresCaseOfIds) => ids.map(|id| Ok(lower_case(&id?))).boxed(),
            _ => ids,
        }
    }

    fn by_persistence_id(
        &self,
        id: &PersistenceId,
        mut from: SequenceNumber,
        mut to: SequenceNumber,
        tail: Tail,
    ) -> Items<EventEnvelope> {
        let wanted = to;
        match self.fault {
            Some(Fault::HasNoEventsOfOne) => return refused(),
            Some(Fault::HasNoLive) if tail == Tail::Live => return refused(),
            Some(Fault::IgnoresFrom) => from = SequenceNumber::ZERO,
            Some(Fault::ToIsExclusive) => to = to.previous(),
            Some(Fault::NeverReachesTo) => to = SequenceNumber::MAX,
            _ => {}
        }
        let lower = lower_case(id);
        let id = if self.has(Fault::IgnoresCaseOfIds) {
            &lower
        } else {
            id
        };
        let events: EventStream = match tail {
            Tail::Current => self.sound.current_events_by_persistence_id(id, from, to),
            Tail::Live => self.sound.events_by_persistence_id(id, from, to),
        };
        events
            .filter(move |event| {
                let is_beyond = event.as_ref().is_ok_and(|it| it.sequence_number > wanted);
                future::ready(!is_beyond)
            })
            .boxed()
    }

    fn selected(&self, which: &Selection, mut after: Offset, tail: Tail) -> Items<EventEnvelope> {
        match self.fault {
            Some(Fault::HasNoTags) if which.tags().is_some() => return refused(),
            Some(Fault::HasNoSelections) if selections::is_more_than_tags(which) => {
                return refused();
            }
            Some(Fault::HasNoLive) if tail == Tail::Live => return refused(),
            Some(Fault::OffsetIsInclusive) => after = Offset::new(after.get() - 1),
            _ => {}
        }
        let (asked, fault) = (which.clone(), self.fault);
        self.misread(&selections::misread(fault, which, tail), after, tail)
            .filter(move |item| {
                let kept = |event| selections::is_kept(fault, &asked, event);
                future::ready(item.as_ref().map_or(true, kept))
            })
            .boxed()
    }

    fn misread(&self, which: &Selection, after: Offset, tail: Tail) -> Items<EventEnvelope> {
        let current = |which: &Selection| self.sound.current_events(which.clone(), after);
        let live = |which: &Selection| self.sound.events(which.clone(), after);
        match (self.fault, tail) {
            (Some(Fault::IgnoresCaseOfTags), Tail::Current) => {
                let others = match selections::in_lower_case(which) {
                    Some(other_case) => without_errors(current(&other_case)),
                    None => stream::empty().boxed(),
                };
                current(which).chain(others).boxed()
            }
            (Some(Fault::UnknownTagIsEmpty), Tail::Current) => without_errors(current(which)),
            (Some(Fault::NewTagIsUnknown), Tail::Live) => current(which)
                .filter(|item| future::ready(item.is_err()))
                .chain(live(which))
                .boxed(),
            (Some(Fault::ResolvesTagsOnce), Tail::Live) => {
                let (sound, which) = (self.sound.clone(), which.clone());
                stream::once(async move {
                    let known = selections::without_unknown_tags(&sound, &which).await;
                    sound.events(known, after)
                })
                .flatten()
                .boxed()
            }
            (Some(Fault::MixesUpSubscribers), Tail::Live) => {
                live(self.first_live.get_or_init(|| which.clone())).boxed()
            }
            (Some(Fault::EndsWhereNothingBelongs), Tail::Current) => {
                selections::until_nothing_belongs(after, current(which).boxed())
            }
            (_, Tail::Current) => current(which).boxed(),
            (_, Tail::Live) => live(which).boxed(),
        }
    }

    async fn events(
        &self,
        tail: Tail,
        open: impl Fn(&Self, Tail) -> Items<EventEnvelope>,
    ) -> Items<EventEnvelope> {
        let items = open(self, self.tail(tail));
        match self.fault {
            Some(Fault::CurrentLacksTheNewest) if tail == Tail::Current => {
                let mut all: Vec<_> = items.collect().await;
                if all.len() > 1 {
                    all.pop();
                }
                stream::iter(all).boxed()
            }
            Some(Fault::SortsByTimestamp) if tail == Tail::Current => {
                let mut all: Vec<_> = items.collect().await;
                all.sort_by_key(|item| item.as_ref().ok().map(|event| event.timestamp));
                stream::iter(all).boxed()
            }
            Some(Fault::SwapsNeighbours) if tail == Tail::Live => items
                .ready_chunks(2)
                .flat_map(|mut pair| {
                    pair.reverse();
                    stream::iter(pair)
                })
                .boxed(),
            Some(Fault::LosesMetadata) => items
                .map(|event| {
                    event.map(|event| EventEnvelope {
                        metadata: Metadata::new(),
                        ..event
                    })
                })
                .boxed(),
            Some(Fault::DealsEventsOut) if tail == Tail::Live => {
                let mine = self.live.fetch_add(1, Ordering::Relaxed) % 2;
                let live = Arc::clone(&self.live);
                items
                    .enumerate()
                    .filter(move |(place, _)| {
                        let is_alone = live.load(Ordering::Relaxed) < 2;
                        future::ready(is_alone || place % 2 == mine)
                    })
                    .map(|(_, item)| item)
                    .boxed()
            }
            _ => self.spoiled(tail, items, open).await,
        }
    }

    /// What can be wrong with any stream.
    async fn spoiled<T: Identified>(
        &self,
        tail: Tail,
        items: Items<T>,
        open: impl Fn(&Self, Tail) -> Items<T>,
    ) -> Items<T> {
        match (self.fault, tail) {
            (Some(Fault::NeverWakes), Tail::Live) => {
                without_errors(items).chain(stream::pending()).boxed()
            }
            (Some(Fault::LiveEnds), Tail::Live) => without_errors(items),
            (Some(Fault::GivesFirstBatchOnly), Tail::Current) => items.take(1000).boxed(),
            (Some(Fault::Doubles), _) => items
                .flat_map(|item| stream::iter([item.clone(), item]))
                .boxed(),
            (Some(Fault::LosesAtTheSeam), Tail::Live) => {
                let there: Vec<_> = without_errors(open(self, Tail::Current)).collect().await;
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
                let by_now: HashMap<T::Id, ()> = without_errors(open(self, Tail::Current))
                    .filter_map(|item| future::ready(item.ok().map(|item| (item.id(), ()))))
                    .collect()
                    .await;
                let news = items.filter(move |item| {
                    let is_old = item.as_ref().is_ok_and(|it| by_now.contains_key(&it.id()));
                    future::ready(!is_old)
                });
                stream::iter(there).chain(news).boxed()
            }
            _ => items,
        }
    }

    async fn send<T>(&self, mut items: Items<T>, sink: Sink<T>) {
        let mut others = self.one_has_left.subscribe();
        loop {
            let item = tokio::select! {
                item = items.next() => item,
                () = sink.closed() => {
                    self.one_has_left.send_replace(true);
                    return;
                }
                _ = others.wait_for(|has_left| *has_left), if self.has(Fault::EndsAllWithOne) => return,
            };
            let Some(item) = item else { return };
            let batch = item.map(|item| vec![item]);
            if self.has(Fault::DropsForSlowReaders) {
                let _ = sink.try_send(batch);
                tokio::task::yield_now().await;
            } else if sink.send(batch).await.is_err() {
                self.one_has_left.send_replace(true);
                return;
            }
        }
    }
}

/// By what an item is told from others.
trait Identified: Clone + Send + 'static {
    type Id: Eq + Hash + Send;

    fn id(&self) -> Self::Id;
}

impl Identified for EventEnvelope {
    type Id = Offset;

    fn id(&self) -> Offset {
        self.offset
    }
}

impl Identified for PersistenceId {
    type Id = Self;

    fn id(&self) -> Self {
        self.clone()
    }
}

fn refused<T: Send + 'static>() -> Items<T> {
    stream::iter([Err(QueryError::Stopped)]).boxed()
}

fn without_errors<T: Send + 'static>(
    items: impl Stream<Item = Result<T, QueryError>> + Send + 'static,
) -> Items<T> {
    items.filter(|item| future::ready(item.is_ok())).boxed()
}

fn lower_case(id: &PersistenceId) -> PersistenceId {
    PersistenceId::parse(id.as_str().to_lowercase()).expect("an id stays one in lower case")
}
