//! The contract of every store of durable states.

use annals_persistence::DurableStateRef;

use crate::store::Store;

async fn setup() -> (DurableStateRef, Store) {
    let store = Store::shared().await;
    (store.states.clone(), store)
}

annals_testkit::durable_state_suite!(super::suite::setup());
