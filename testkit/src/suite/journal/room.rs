use std::pin::pin;
use std::time::Duration;

use annals_persistence::{
    JournalCapacity, JournalMessage, JournalRef, PersistenceId, WriteError, WriterId,
};
use futures::poll;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::watch;

use crate::suite::fixture::{expect_replay, fresh_id, store, write};

const MAX: i64 = i64::MAX;
const ALL: u64 = u64::MAX;

/// Room may come free as soon as a write was refused for want of it. What its writer sends behind it
/// would leave a hole, until it sends the refused sequence number again.
pub async fn write_that_found_no_room_fails_those_behind_it(journal: &JournalRef) {
    let (door, narrow) = Door::before(journal).await;
    let (id, writer) = (fresh_id(), WriterId::random());
    let mut plug = pin!(narrow.write(write(&fresh_id(), WriterId::random(), 1, 1)));
    assert!(poll!(plug.as_mut()).is_pending(), "the door is closed");
    let refused = narrow.write(write(&id, writer, 1, 1)).await;
    assert!(
        matches!(refused, Err(WriteError::Overloaded { .. })),
        "a write to a full journal: {refused:?}"
    );
    door.open();
    plug.await.expect("what was let in is stored");
    goes_on_with_the_first(&narrow, &id, writer).await;
}

/// The same of a write whose author went away while it waited for room: what waited behind it finds
/// room next.
pub async fn write_given_up_before_there_was_room_fails_those_behind_it(journal: &JournalRef) {
    let (door, narrow) = Door::before(journal).await;
    let (id, writer) = (fresh_id(), WriterId::random());
    let mut plug = pin!(narrow.write(write(&fresh_id(), WriterId::random(), 1, 1)));
    assert!(poll!(plug.as_mut()).is_pending(), "the door is closed");
    let mut behind = pin!(narrow.write(write(&id, writer, 2, 1)));
    {
        let mut given_up = pin!(narrow.write(write(&id, writer, 1, 1)));
        assert!(poll!(given_up.as_mut()).is_pending(), "there is no room");
        assert!(poll!(behind.as_mut()).is_pending(), "there is no room");
    }
    door.open();
    plug.await.expect("what was let in is stored");
    expect_earlier_failed(behind.await);
    goes_on_with_the_first(&narrow, &id, writer).await;
}

/// The second write is given up until the first is there.
async fn goes_on_with_the_first(journal: &JournalRef, id: &PersistenceId, writer: WriterId) {
    expect_earlier_failed(journal.write(write(id, writer, 2, 1)).await);
    expect_replay(journal, id, (1, MAX, ALL), [], 0).await;
    store(journal, write(id, writer, 1, 1)).await;
    store(journal, write(id, writer, 2, 1)).await;
    expect_replay(journal, id, (1, MAX, ALL), 1..=2, 2).await;
}

fn expect_earlier_failed(result: Result<(), WriteError>) {
    assert!(
        matches!(result, Err(WriteError::EarlierFailed { .. })),
        "a write behind one that is not stored: {result:?}"
    );
}

/// Hands on to a journal what it is sent, once it is open.
struct Door(watch::Sender<bool>);

struct DoorActor;

impl Door {
    /// A closed one, and a journal with room for one event behind it.
    async fn before(journal: &JournalRef) -> (Self, JournalRef) {
        let (open, is_open) = watch::channel(false);
        let (actor, _) = Actor::spawn(None, DoorActor, (journal.clone(), is_open))
            .await
            .expect("an actor without a name that reads nothing at its start always starts");
        let capacity = JournalCapacity {
            events: 1,
            kibibytes: 1024,
            patience: Duration::from_millis(50),
        };
        (Self(open), JournalRef::new(actor.get_derived(), capacity))
    }

    fn open(&self) {
        self.0.send_replace(true);
    }
}

impl Actor for DoorActor {
    type Msg = JournalMessage;
    type State = (JournalRef, watch::Receiver<bool>);
    type Arguments = (JournalRef, watch::Receiver<bool>);

    async fn pre_start(
        &self,
        _myself: ActorRef<JournalMessage>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(arguments)
    }

    async fn handle(
        &self,
        _myself: ActorRef<JournalMessage>,
        message: JournalMessage,
        (journal, is_open): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        is_open.wait_for(|is_open| *is_open).await?;
        // A caller that no longer waits is no concern of the door.
        match message {
            JournalMessage::Write(write, reply) => {
                let _ = reply.send(journal.write(write).await);
            }
            JournalMessage::Replay(replay, reply) => {
                let _ = reply.send(journal.replay(replay).await);
            }
            JournalMessage::Delete(delete, reply) => {
                let _ = reply.send(journal.delete(delete).await);
            }
            JournalMessage::Replace(replace, reply) => {
                let _ = reply.send(journal.replace(replace).await);
            }
        }
        Ok(())
    }
}
