//! The suite of durable states on the store in memory, and proof that it bites.

mod broken_stores;
mod completeness;
mod failures;
mod proxy;

annals_testkit::durable_state_suite!(async {
    (annals_testkit::MemoryDurableState::spawn().await, ())
});
