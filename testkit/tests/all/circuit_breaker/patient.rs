use std::sync::{Arc, Mutex};
use std::time::Duration;

use annals_persistence::{
    BreakerSettings, BreakerState, CircuitBreaker, DeleteError, DeleteEvents, JournalCapacity,
    JournalMessage, JournalRef, Payload, PersistenceId, ReplaceError, ReplaceEvent, Replay,
    ReplayError, ReplayEvents, SequenceNumber, WriteError, WriteEvents, WriterId,
};
use annals_testkit::{Failures, MemoryJournal, PlannedFailure};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc;

/// Three failures, ten seconds for an answer, open for 30, 60 and then 100 seconds.
pub(super) const SETTINGS: BreakerSettings = BreakerSettings {
    max_failures: 3,
    call_timeout: Duration::from_secs(10),
    reset_timeout: Duration::from_secs(30),
    max_reset_timeout: Duration::from_secs(100),
    jitter: 0.0,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Health {
    Well,
    /// Every call fails as unavailable.
    Down,
    /// No call is answered.
    Silent,
    /// Replays are answered, and their batches take a minute each and then fail.
    Trickling,
}

/// A breaker around a journal whose health the test chooses, and the store behind both.
pub(super) struct World {
    pub(super) store: JournalRef,
    pub(super) failures: Failures,
    pub(super) patient: JournalRef,
    pub(super) journal: JournalRef,
    chart: Arc<Mutex<Chart>>,
}

struct Chart {
    health: Health,
    /// Calls that reached the journal.
    calls: usize,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with_capacity(JournalCapacity::default()).await
    }

    pub(super) async fn with_capacity(capacity: JournalCapacity) -> Self {
        let failures = Failures::none();
        let store = MemoryJournal::spawn_with(JournalCapacity::default(), failures.clone()).await;
        let chart = Arc::new(Mutex::new(Chart {
            health: Health::Well,
            calls: 0,
        }));
        let patient = Patient {
            store: store.clone(),
            chart: Arc::clone(&chart),
            unanswered: Vec::new(),
        };
        let (actor, _) = Actor::spawn(None, PatientActor, patient).await.unwrap();
        let patient = JournalRef::new(actor.get_derived(), capacity);
        Self {
            journal: CircuitBreaker::around(patient.clone(), SETTINGS).await,
            store,
            failures,
            patient,
            chart,
        }
    }

    /// A breaker that has just opened, in front of a journal that is down.
    pub(super) async fn open() -> Self {
        let world = Self::new().await;
        world.trip().await;
        world
    }

    pub(super) async fn trip(&self) {
        self.turns(Health::Down);
        for _ in 0..3 {
            self.replay("unrelated").await.unwrap_err();
        }
        assert_eq!(self.state(), BreakerState::Open);
    }

    pub(super) fn turns(&self, health: Health) {
        self.chart.lock().unwrap().health = health;
    }

    pub(super) fn calls(&self) -> usize {
        self.chart.lock().unwrap().calls
    }

    pub(super) fn state(&self) -> BreakerState {
        self.breaker().state()
    }

    pub(super) fn breaker(&self) -> &CircuitBreaker {
        self.journal.circuit_breaker().expect("a breaker")
    }

    /// One event.
    pub(super) async fn write(
        &self,
        author: &Author,
        sequence_number: u32,
    ) -> Result<(), WriteError> {
        self.journal.write(author.event(sequence_number)).await
    }

    pub(super) async fn replay(&self, id: &str) -> Result<Replay, ReplayError> {
        let all = ReplayEvents::from(persistence_id(id), SequenceNumber::FIRST);
        self.journal.replay(all).await
    }

    pub(super) async fn delete(&self, id: &str) -> Result<(), DeleteError> {
        let delete = DeleteEvents {
            persistence_id: persistence_id(id),
            to: 1.into(),
        };
        self.journal.delete(delete).await
    }

    pub(super) async fn replace(&self, id: &str) -> Result<(), ReplaceError> {
        let payload = Payload::text("somebody");
        let replace = ReplaceEvent::new(persistence_id(id), 1.into(), payload);
        self.journal.replace(replace).await
    }

    /// The sequence numbers that the store holds.
    pub(super) async fn stored(&self, author: &Author) -> Vec<i64> {
        let all = ReplayEvents::from(author.id.clone(), SequenceNumber::FIRST);
        let events = self.store.replay(all).await.unwrap().collect().await;
        let number = |event: annals_persistence::EventEnvelope| event.sequence_number.get();
        events.unwrap().into_iter().map(number).collect()
    }
}

#[derive(Clone)]
pub(super) struct Author {
    pub(super) id: PersistenceId,
    pub(super) writer: WriterId,
}

impl Author {
    pub(super) fn of(id: &str) -> Self {
        Self {
            id: persistence_id(id),
            writer: WriterId::random(),
        }
    }

    pub(super) fn event(&self, sequence_number: u32) -> WriteEvents {
        let events = vec![Payload::text("x").into()];
        WriteEvents::new(self.id.clone(), sequence_number.into(), self.writer, events)
    }
}

pub(super) fn persistence_id(id: &str) -> PersistenceId {
    PersistenceId::parse(id).expect("an id")
}

pub(super) async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// When to try again, of a write that the breaker refused.
pub(super) fn refused(result: Result<(), WriteError>) -> u64 {
    match result {
        Err(WriteError::BreakerOpen { retry_in, .. }) => retry_in.as_secs(),
        other => panic!("the breaker must refuse the write: {other:?}"),
    }
}

struct PatientActor;

struct Patient {
    store: JournalRef,
    chart: Arc<Mutex<Chart>>,
    unanswered: Vec<JournalMessage>,
}

impl Actor for PatientActor {
    type Msg = JournalMessage;
    type State = Patient;
    type Arguments = Patient;

    async fn pre_start(
        &self,
        _myself: ActorRef<JournalMessage>,
        patient: Patient,
    ) -> Result<Patient, ActorProcessingErr> {
        Ok(patient)
    }

    async fn handle(
        &self,
        _myself: ActorRef<JournalMessage>,
        message: JournalMessage,
        patient: &mut Patient,
    ) -> Result<(), ActorProcessingErr> {
        let health = {
            let mut chart = patient.chart.lock().unwrap();
            chart.calls += 1;
            chart.health
        };
        let source = Arc::new(PlannedFailure);
        // A caller that no longer waits is no concern of the journal.
        match (message, health) {
            (message, Health::Silent) => patient.unanswered.push(message),
            (JournalMessage::Write(write, reply), Health::Down) => {
                let _ = reply.send(Err(WriteError::Unavailable {
                    persistence_id: write.persistence_id,
                    waited: Duration::ZERO,
                    source,
                }));
            }
            (JournalMessage::Replay(replay, reply), Health::Down) => {
                let _ = reply.send(Err(unavailable(&replay)));
            }
            (JournalMessage::Delete(delete, reply), Health::Down) => {
                let _ = reply.send(Err(DeleteError::Unavailable {
                    persistence_id: delete.persistence_id,
                    to: delete.to,
                    source,
                }));
            }
            (JournalMessage::Replay(replay, reply), Health::Trickling) => {
                let (batches, rest) = mpsc::channel(1);
                let beginning = Replay::complete(2.into(), 0.into(), Vec::new());
                let _ = reply.send(Ok(beginning.followed_by(rest)));
                tokio::spawn(async move {
                    for batch in [Ok(Vec::new()), Err(unavailable(&replay))] {
                        seconds(60).await;
                        batches.send(batch).await.expect("a reader");
                    }
                });
            }
            (JournalMessage::Write(write, reply), _) => {
                let _ = reply.send(patient.store.write(write).await);
            }
            (JournalMessage::Replay(replay, reply), _) => {
                let _ = reply.send(patient.store.replay(replay).await);
            }
            (JournalMessage::Replace(replace, reply), Health::Down) => {
                let _ = reply.send(Err(ReplaceError::Unavailable {
                    persistence_id: replace.persistence_id,
                    sequence_number: replace.sequence_number,
                    source,
                }));
            }
            (JournalMessage::Replace(replace, reply), _) => {
                let _ = reply.send(patient.store.replace(replace).await);
            }
            (JournalMessage::Delete(delete, reply), _) => {
                let _ = reply.send(patient.store.delete(delete).await);
            }
        }
        Ok(())
    }
}

fn unavailable(replay: &ReplayEvents) -> ReplayError {
    ReplayError::Unavailable {
        persistence_id: replay.persistence_id.clone(),
        source: Arc::new(PlannedFailure),
    }
}
