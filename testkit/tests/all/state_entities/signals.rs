use annals_persistence::{Payload, RecoveryError, Revision, StateSignal, StateWriteError};
use annals_testkit::WriteFailure;

use super::cart::{Cart, Command, listen};
use super::world::{World, add, failed, rejected};

#[tokio::test]
async fn recovery_completed_comes_first_and_tells_the_revision() {
    let mut heard = listen("recovered");
    let world = World::new().await;
    world.cart_with("recovered", &["a", "b"]).await;
    let (first, cart) = heard.next().await;
    assert!(
        matches!(first, StateSignal::RecoveryCompleted { revision } if revision == Revision::NONE),
        "{first:?}"
    );
    assert_eq!(cart, Cart::of("recovered", &[]));
    let again = world.restarted().await;
    again.get_state::<Cart>("recovered").await.unwrap();
    let (second, cart) = heard.next().await;
    assert!(
        matches!(second, StateSignal::RecoveryCompleted { revision } if revision == 2.into()),
        "{second:?}"
    );
    assert_eq!(cart, Cart::of("recovered", &["a", "b"]));
}

#[tokio::test]
async fn recovery_failed_tells_why_and_goes_to_the_initial_state() {
    let mut heard = listen("unrecoverable");
    let world = World::new().await;
    world
        .write("unrecoverable", 1, Payload::raw("no cart"))
        .await;
    let failed = world.entities.get_state::<Cart>("unrecoverable").await;
    failed.unwrap_err();
    let (signal, cart) = heard.next().await;
    assert!(
        matches!(&signal, StateSignal::RecoveryFailed(RecoveryError::DecodeState { revision, .. })
            if *revision == 1.into()),
        "{signal:?}"
    );
    assert_eq!(cart, Cart::of("unrecoverable", &[]));
}

#[tokio::test]
async fn a_rejected_persist_is_signalled_and_the_entity_goes_on() {
    let mut heard = listen("rejected");
    let world = World::new().await;
    let cart = world.cart("rejected").await;
    heard.next().await;
    world.failures.state_upserts().fail(WriteFailure::Rejected);
    rejected(add(&cart, "a").await);
    let (signal, state) = heard.next().await;
    assert!(
        matches!(
            signal,
            StateSignal::PersistRejected(StateWriteError::Rejected { .. })
        ),
        "{signal:?}"
    );
    assert_eq!(state, Cart::of("rejected", &[]));
    assert_eq!(add(&cart, "a").await.unwrap(), 1);
}

#[tokio::test]
async fn a_failed_persist_is_signalled_and_then_the_restart() {
    let mut heard = listen("failed");
    let world = World::new().await;
    let cart = world.cart("failed").await;
    heard.next().await;
    world.failures.state_upserts().fail(WriteFailure::ReplyLost);
    failed(add(&cart, "a").await);
    let (signal, state) = heard.next().await;
    assert!(
        matches!(
            signal,
            StateSignal::PersistFailed(StateWriteError::Unknown { .. })
        ),
        "{signal:?}"
    );
    assert_eq!(state, Cart::of("failed", &[]), "not the state in doubt");
    let (signal, _) = heard.next().await;
    assert!(
        matches!(
            signal,
            StateSignal::PreRestart {
                cause: StateWriteError::Unknown { .. }
            }
        ),
        "{signal:?}"
    );
    assert_eq!(add(&cart, "b").await.unwrap(), 2);
    let (signal, _) = heard.next().await;
    assert!(
        matches!(signal, StateSignal::RecoveryCompleted { revision } if revision == 1.into()),
        "{signal:?}"
    );
}

#[tokio::test]
async fn an_orderly_end_is_the_last_signal() {
    let mut heard = listen("ended");
    let world = World::new().await;
    let cart = world.cart("ended").await;
    cart.ask(Command::Stop).await.unwrap();
    heard.next().await;
    let (signal, _) = heard.next().await;
    assert!(matches!(signal, StateSignal::PostStop), "{signal:?}");
}
