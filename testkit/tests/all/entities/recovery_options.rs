use std::time::Duration;

use annals_persistence::{
    CodecError, CommandError, Effect, Entities, EntityError, EntitySettings, EventEnvelope,
    EventSourced, JournalCapacity, JournalMessage, JournalRef, Metadata, Offset, Payload,
    Recovered, Recovery, RecoveryError, Rejection, Replay, ReplayEvents, ReplayFilter,
    ReplayFilterMode, Reply, SequenceNumber, SnapshotCriteria, Timestamp, WriteError,
};
use futures::future::join_all;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::diary::{Diary, Event};
use super::world::{World, id, note, noted};

const WORDS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

async fn recall(world: &World, recovery: Recovery) -> (Vec<String>, i64) {
    let (diary, number) = world
        .entities
        .recall::<Diary>("1", recovery)
        .await
        .expect("a state");
    (diary.words, number.get())
}

#[tokio::test]
async fn the_state_of_any_earlier_time_can_be_recalled() {
    let world = World::new().await;
    let live = world.diary_with("1", &WORDS).await;
    for number in 0..=8_u32 {
        for recovery in [Recovery::latest(), Recovery::without_snapshots()] {
            let (words, reached) = recall(&world, recovery.up_to(number.into())).await;
            assert_eq!(reached, i64::from(number));
            assert_eq!(words, WORDS[..number as usize]);
        }
    }
    assert_eq!(note(&live, "i").await.unwrap(), 9, "the live one goes on");
}

#[tokio::test]
async fn a_recovery_can_begin_at_an_older_snapshot_or_at_none() {
    let world = World::new().await;
    world.diary_with("1", &WORDS).await;
    let older = SnapshotCriteria::latest().up_to(5.into());
    for recovery in [
        Recovery::from_snapshot(older),
        Recovery::without_snapshots(),
    ] {
        assert_eq!(
            recall(&world, recovery).await,
            (WORDS.map(str::to_owned).to_vec(), 8)
        );
    }
}

#[tokio::test]
async fn a_recovery_that_is_disabled_reads_no_event() {
    let world = World::new().await;
    world.diary_with("1", &WORDS).await;
    assert_eq!(recall(&world, Recovery::disabled()).await, (Vec::new(), 8));
}

/// A diary of which only the first two pages are open.
#[derive(Default, Serialize, Deserialize)]
struct FirstPages(Diary);

/// A diary that is written and never read.
#[derive(Default, Serialize, Deserialize)]
struct Blind(Diary);

macro_rules! diary_with_recovery {
    ($type:ident, $recovery:expr) => {
        impl EventSourced for $type {
            const ENTITY: &'static str = "Diary";
            type Command = Add;
            type Event = Event;

            fn handle(&self, Add(word, reply): Add) -> Effect<Self> {
                self.persist(Event::Noted { word })
                    .then_reply(reply, |diary| diary.0.words.len())
            }

            fn apply(&mut self, event: Event) {
                self.0.apply(event);
            }

            fn snapshot_when(&self, _: SequenceNumber) -> bool {
                true
            }

            fn recovery() -> Recovery {
                $recovery
            }

            fn decode_snapshot(payload: &Payload) -> Result<Self, CodecError> {
                Diary::decode_snapshot(payload).map(Self)
            }
        }
    };
}

struct Add(String, Reply<usize>);

diary_with_recovery!(FirstPages, Recovery::latest().up_to(2.into()));
diary_with_recovery!(Blind, Recovery::disabled());

#[tokio::test]
async fn an_entity_of_an_earlier_time_stores_nothing() {
    let world = World::new().await;
    world.diary_with("1", &WORDS).await;
    let past = world.restarted().get::<FirstPages>("1").await.unwrap();
    let answer = past.ask(|reply| Add("x".to_owned(), reply)).await;
    match answer {
        Err(annals_persistence::AskError::Command(CommandError::Rejected(
            WriteError::Rejected {
                reason: Rejection::PastState,
                ..
            },
        ))) => {}
        other => panic!("the past must not be written: {other:?}"),
    }
    assert_eq!(world.events(&id("1")).await.len(), 8);

    let whole = world.restarted().get::<FirstPages>("new").await.unwrap();
    let answer = whole.ask(|reply| Add("x".to_owned(), reply)).await;
    assert_eq!(
        answer.unwrap(),
        1,
        "its history does not go on behind the bound"
    );
}

#[tokio::test]
async fn an_entity_that_never_looks_back_writes_behind_the_last_event_and_takes_no_snapshot() {
    let world = World::new().await;
    world.diary_with("1", &["a", "b"]).await;
    let blind = world.restarted().get::<Blind>("1").await.unwrap();
    assert_eq!(blind.recovered(), Recovered::default());
    blind.ask(|reply| Add("c".to_owned(), reply)).await.unwrap();
    assert_eq!(world.events(&id("1")).await.len(), 3);
    let latest = SnapshotCriteria::latest();
    let snapshot = world.snapshots.load(&id("1"), latest).await.unwrap();
    assert_eq!(snapshot, None);
}

/// A journal of other software, in which two writers took turns under the same numbers.
struct Mixed;

impl Actor for Mixed {
    type Msg = JournalMessage;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<JournalMessage>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<JournalMessage>,
        message: JournalMessage,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let JournalMessage::Replay(replay, reply) = message else {
            return Ok(());
        };
        let rows = [
            (1, "old", "a"),
            (2, "old", "b"),
            (2, "new", "B"),
            (3, "old", "c"),
            (3, "new", "C"),
        ];
        let events = rows.map(|(number, writer, word)| EventEnvelope {
            persistence_id: replay.persistence_id.clone(),
            sequence_number: SequenceNumber::from(number),
            offset: Offset::start(),
            timestamp: Timestamp::now(),
            writer: writer.to_owned(),
            event_manifest: String::new(),
            payload: noted(word),
            metadata: Metadata::new(),
        });
        let replay = Replay::complete(3.into(), SequenceNumber::ZERO, events.to_vec());
        reply.send(Ok(replay))?;
        Ok(())
    }
}

async fn recall_mixed(filter: ReplayFilter) -> Result<Vec<String>, RecoveryError> {
    let world = World::new().await;
    let (actor, _) = Actor::spawn(None, Mixed, ()).await.unwrap();
    let journal = JournalRef::new(actor.get_derived(), JournalCapacity::default());
    let entities = Entities::new(journal, world.snapshots.clone());
    let recovery = Recovery::latest().replay_filter(filter);
    match entities.recall::<Diary>("1", recovery).await {
        Ok((diary, _)) => Ok(diary.words),
        Err(EntityError::Recovery { source, .. }) => Err(source),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_history_that_two_writers_mixed_is_refused_or_repaired() {
    let twice = recall_mixed(ReplayFilter::OFF).await;
    assert!(
        matches!(&twice, Err(RecoveryError::Duplicate { sequence_number, .. }) if *sequence_number == 2.into()),
        "{twice:?}"
    );
    let repaired = recall_mixed(ReplayFilter::default()).await.unwrap();
    assert_eq!(repaired, ["a", "B", "C"]);
    let fail = ReplayFilter {
        mode: ReplayFilterMode::Fail,
        ..ReplayFilter::default()
    };
    let refused = recall_mixed(fail).await;
    assert!(
        matches!(refused, Err(RecoveryError::Mixed(_))),
        "{refused:?}"
    );
}

/// A journal that tells the test of every replay and answers none.
struct Silent;

impl Actor for Silent {
    type Msg = JournalMessage;
    type State = (UnboundedSender<ReplayEvents>, Vec<JournalMessage>);
    type Arguments = UnboundedSender<ReplayEvents>;

    async fn pre_start(
        &self,
        _: ActorRef<JournalMessage>,
        tell: UnboundedSender<ReplayEvents>,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok((tell, Vec::new()))
    }

    async fn handle(
        &self,
        _: ActorRef<JournalMessage>,
        message: JournalMessage,
        (tell, kept): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if let JournalMessage::Replay(replay, _) = &message {
            tell.send(replay.clone())?;
        }
        kept.push(message);
        Ok(())
    }
}

async fn silent_journal() -> (
    JournalRef,
    tokio::sync::mpsc::UnboundedReceiver<ReplayEvents>,
) {
    let (tell, told) = unbounded_channel();
    let (actor, _) = Actor::spawn(None, Silent, tell).await.unwrap();
    let journal = JournalRef::new(actor.get_derived(), JournalCapacity::default());
    (journal, told)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_says_nothing_ends_the_recovery() {
    let world = World::new().await;
    let (journal, _told) = silent_journal().await;
    let entities = Entities::new(journal, world.snapshots.clone());
    match entities.get::<Diary>("1").await {
        Err(EntityError::Recovery {
            source:
                RecoveryError::TimedOut {
                    persistence_id,
                    reached,
                    waited,
                },
            ..
        }) => assert_eq!(
            (persistence_id, reached, waited),
            (id("1"), SequenceNumber::ZERO, Duration::from_secs(30))
        ),
        other => panic!("the recovery must time out: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn only_so_many_recover_at_the_same_time() {
    let world = World::new().await;
    let (journal, mut told) = silent_journal().await;
    let settings = EntitySettings {
        concurrent_recoveries: 2,
        ..EntitySettings::default()
    };
    let entities = Entities::with(journal, world.snapshots.clone(), settings);
    let asking = tokio::spawn({
        let entities = entities.clone();
        async move {
            let ids = ["1", "2", "3", "4", "5"];
            join_all(ids.map(|id| entities.get::<Diary>(id))).await
        }
    });
    let mut begun = Vec::new();
    for _ in 0..2 {
        begun.push(told.recv().await.unwrap());
    }
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert!(told.try_recv().is_err(), "the third waits for its turn");
    for _ in 0..3 {
        begun.push(told.recv().await.unwrap());
    }
    let all = asking.await.unwrap();
    assert!(all.iter().all(Result::is_err), "{all:?}");
    let ids: Vec<_> = begun
        .iter()
        .map(|replay| replay.persistence_id.entity_id())
        .collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5"], "first come, first served");
}
