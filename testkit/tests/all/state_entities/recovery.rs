use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use annals_persistence::{
    CodecError, DeleteState, DurableState, DurableStateMessage, DurableStateRef, EntitySettings,
    MessagePack, Payload, Recovered, RecoveryError, Reply, Revision, StateEffect, StateRejection,
    StateWriteError, StoredState, Timestamp, Upcasters, WriterId,
};
use annals_testkit::CallFailure;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::cart::{Cart, Command};
use super::world::{World, add, id, items, process, rejected};

#[tokio::test]
async fn the_next_process_finds_the_state_and_writes_behind_its_revision() {
    let world = World::new().await;
    world.cart_with("1", &["a", "b"]).await;
    let next = world.restarted().await;
    let cart = next.get_state::<Cart>("1").await.unwrap();
    assert_eq!(items(&cart).await, ["a", "b"]);
    assert_eq!(cart.recovered(), Recovered::default(), "no events");
    assert_eq!(add(&cart, "c").await.unwrap(), 3);
    assert_eq!(world.stored_revision("1").await, Revision::from(3));
}

#[tokio::test]
async fn behind_a_deletion_by_somebody_else_the_state_is_initial_and_the_revision_goes_on() {
    let world = World::new().await;
    let cart = world.cart_with("1", &["a"]).await;
    cart.ask(Command::Stop).await.unwrap();
    let delete = DeleteState::new(id("1"), 2.into(), WriterId::random());
    world.states.delete(delete).await.unwrap();
    assert_eq!(cart.ask(Command::Show).await.unwrap(), Cart::of("1", &[]));
    assert_eq!(add(&cart, "b").await.unwrap(), 1);
    assert_eq!(world.stored_revision("1").await, Revision::from(3));
}

#[tokio::test]
async fn a_state_that_cannot_be_decoded_is_named() {
    let world = World::new().await;
    world.write("1", 1, Payload::raw("no cart")).await;
    let error = world.recovery_error("1").await;
    let message = error.to_string();
    assert!(
        message.contains("revision 1") && message.contains("Cart|1"),
        "{message}"
    );
    match error {
        RecoveryError::DecodeState {
            persistence_id,
            revision,
            ..
        } => assert_eq!((persistence_id, revision), (id("1"), Revision::FIRST)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_the_reason() {
    let world = World::new().await;
    world.cart_with("1", &["a"]).await;
    world.failures.state_reads().fail(CallFailure::RequestLost);
    let error = world.recovery_error("1").await;
    assert!(matches!(error, RecoveryError::State(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_silent_is_waited_for_so_long() {
    let world = World::new().await;
    let gate = world.failures.state_reads().hold();
    let begin = Instant::now();
    match world.recovery_error("1").await {
        RecoveryError::StateTimedOut {
            persistence_id,
            waited,
        } => assert_eq!((persistence_id, waited), (id("1"), Duration::from_secs(30))),
        other => panic!("{other:?}"),
    }
    assert_eq!(begin.elapsed(), Duration::from_secs(30));
    drop(gate);
}

/// What JSON would lose: there are no events to find it again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Chart {
    points: BTreeMap<(i32, i32), f64>,
}

#[derive(Debug)]
enum ChartCommand {
    Put((i32, i32), f64, Reply<()>),
    Read(Reply<Chart>),
}

impl DurableState for Chart {
    const ENTITY: &'static str = "Chart";
    type Command = ChartCommand;

    fn handle(&self, command: ChartCommand) -> StateEffect<Self> {
        match command {
            ChartCommand::Put(place, value, reply) => {
                let mut chart = self.clone();
                chart.points.insert(place, value);
                self.persist(chart).reply(reply, ())
            }
            ChartCommand::Read(reply) => self.reply(reply, self.clone()),
        }
    }
}

#[tokio::test]
async fn the_codec_holds_keys_and_numbers_that_json_does_not() {
    let world = World::new().await;
    let chart = world.entities.get_state::<Chart>("1").await.unwrap();
    let put = |place, value| chart.ask(move |reply| ChartCommand::Put(place, value, reply));
    put((1, -2), f64::INFINITY).await.unwrap();
    put((3, 4), f64::NAN).await.unwrap();
    let next = world.restarted().await.get_state::<Chart>("1").await;
    let found = next.unwrap().ask(ChartCommand::Read).await.unwrap().points;
    assert_eq!(found[&(1, -2)], f64::INFINITY);
    assert!(found[&(3, 4)].is_nan());
}

/// A cart of a later version: its items are lines now.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename = "Cart")]
struct NewCart {
    lines: Vec<String>,
}

#[derive(Debug)]
struct AddLine(String, Reply<Vec<String>>);

static UPCASTERS: LazyLock<Upcasters> = LazyLock::new(|| {
    Upcasters::new().upcast("Cart", 1, |mut json| {
        let cart = json.as_object_mut().ok_or("no cart")?;
        let items = cart.remove("items").ok_or("no items")?;
        cart.insert("lines".into(), items);
        Ok(json)
    })
});

impl DurableState for NewCart {
    const ENTITY: &'static str = "Cart";
    type Command = AddLine;

    fn handle(&self, AddLine(line, reply): AddLine) -> StateEffect<Self> {
        let mut cart = self.clone();
        cart.lines.push(line);
        self.persist(cart)
            .then_reply(reply, |cart| cart.lines.clone())
    }

    fn encode_state(&self) -> Result<Payload, CodecError> {
        UPCASTERS.encode(&MessagePack, self)
    }

    fn decode_state(payload: &Payload) -> Result<Self, CodecError> {
        UPCASTERS.decode(&MessagePack, payload)
    }
}

#[tokio::test]
async fn a_state_of_an_older_version_is_led_on_by_upcasters() {
    let world = World::new().await;
    world.cart_with("1", &["a"]).await;
    // An old state first, then a new one.
    for (line, lines) in [("b", vec!["a", "b"]), ("c", vec!["a", "b", "c"])] {
        let next = world.restarted().await.get_state::<NewCart>("1").await;
        let add = |reply| AddLine(line.to_owned(), reply);
        assert_eq!(next.unwrap().ask(add).await.unwrap(), lines);
    }
}

/// A store in which the last revision is taken, and which answers no write.
struct UsedUp;

impl Actor for UsedUp {
    type Msg = DurableStateMessage;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<DurableStateMessage>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<DurableStateMessage>,
        message: DurableStateMessage,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let DurableStateMessage::Get(_, reply) = message {
            reply.send(Ok(Some(StoredState {
                revision: Revision::MAX,
                timestamp: Timestamp::now(),
                tag: None,
                payload: Some(Cart::of("1", &["last"]).encode_state()?),
            })))?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn behind_the_last_revision_every_change_is_rejected() {
    let (store, _) = Actor::spawn(None, UsedUp, ()).await.unwrap();
    let states = DurableStateRef::new(store.get_derived());
    let entities = process(&states, EntitySettings::default()).await;
    let cart = entities.get_state::<Cart>("1").await.unwrap();
    for error in [
        rejected(add(&cart, "x").await),
        rejected(cart.ask(Command::Clear).await),
    ] {
        assert!(
            matches!(
                error,
                StateWriteError::Rejected {
                    reason: StateRejection::Revisions,
                    ..
                }
            ),
            "{error:?}"
        );
    }
    assert_eq!(items(&cart).await, ["last"]);
}
