//! What every journal, snapshot store and query must do, one function a case. A case panics, naming
//! its values, where the store does not do it.
//!
//! Each case works on persistence ids and tags of its own, so that cases may share a database, run
//! at the same time and run again. Where the persistence TCK of Pekko has the case too, the function
//! has the name that it has there; `docs/contract-suite.md` has the table.
//!
//! Run them as tests ([`journal_suite!`](crate::journal_suite),
//! [`snapshot_suite!`](crate::snapshot_suite), [`query_suite!`](crate::query_suite)), or one by one
//! from a list ([`journal::cases`], [`snapshot::cases`], [`query::cases`]).
//!
//! The freedoms that a store has: it may refuse a write that begins behind a gap (as a conflict)
//! or store it, it may reject what it cannot hold, and it may do without a [`Capability`].

pub mod durable_state;
pub mod journal;
pub mod query;
pub mod snapshot;

mod case;
mod fixture;
mod given;
mod recorder;
mod tests;

pub use case::{Capability, Case, Tck};
#[doc(hidden)]
pub use given::Given;

/// One `#[tokio::test]` a case of [`suite::journal`](crate::suite::journal).
///
/// The argument is evaluated once a case and must be a future of a pair: the [`JournalRef`] under
/// test, and whatever has to live as long as it does (a server, a database, `()`). Call the macro
/// in a module of its own; the crate that calls it needs `tokio` with `macros` and
/// `rt-multi-thread`.
///
/// ```
/// # use annals_persistence::{JournalCapacity, JournalRef};
/// # use annals_testkit::MemoryJournal;
/// async fn setup() -> (JournalRef, ()) {
///     (MemoryJournal::spawn(JournalCapacity::default()).await, ())
/// }
///
/// mod contract {
///     annals_testkit::journal_suite!(super::setup());
/// }
/// ```
///
/// A store that cannot do everything names what it does [without](crate::suite::Capability). The
/// cases that need it are shown as ignored, with the reason:
///
/// ```
/// mod contract {
///     # use annals_persistence::JournalCapacity;
///     # use annals_testkit::MemoryJournal;
///     # async fn setup() -> (annals_persistence::JournalRef, ()) {
///     #     (MemoryJournal::spawn(JournalCapacity::default()).await, ())
///     # }
///     annals_testkit::journal_suite!(setup(), without: [Metadata, LargePayloads]);
/// }
/// ```
///
/// [`JournalRef`]: annals_persistence::JournalRef
#[macro_export]
macro_rules! journal_suite {
    ($setup:expr $(, without: [$($without:ident),* $(,)?])? $(,)?) => {
        $(const _: &[$crate::suite::Capability] = &[$($crate::suite::Capability::$without),*];)?
        $crate::journal_cases! { suite_tests_of [journal, $setup, [$($($without)*)?]] }
    };
}

/// One `#[tokio::test]` a case of [`suite::snapshot`](crate::suite::snapshot).
///
/// The first argument is evaluated once a case and must be a future of a pair: the [`SnapshotRef`]
/// under test, and whatever has to live as long as it does. Otherwise as [`journal_suite!`].
///
/// ```
/// mod contract {
///     use annals_testkit::MemorySnapshots;
///
///     annals_testkit::snapshot_suite!(async { (MemorySnapshots::spawn().await, ()) });
/// }
/// ```
///
/// [`SnapshotRef`]: annals_persistence::SnapshotRef
/// [`journal_suite!`]: crate::journal_suite
#[macro_export]
macro_rules! snapshot_suite {
    ($setup:expr $(, without: [$($without:ident),* $(,)?])? $(,)?) => {
        $(const _: &[$crate::suite::Capability] = &[$($crate::suite::Capability::$without),*];)?
        $crate::snapshot_cases! { suite_tests_of [snapshot, $setup, [$($($without)*)?]] }
    };
}

/// One `#[tokio::test]` a case of [`suite::query`](crate::suite::query).
///
/// The first argument is evaluated once a case and must be a future of three: a [`JournalRef`], the
/// [`QueryRef`] under test, which reads what that journal stores, and whatever has to live as long
/// as they do. Otherwise as [`journal_suite!`].
///
/// ```
/// # use annals_persistence::{JournalRef, QueryRef};
/// # use annals_testkit::MemoryStores;
/// async fn setup() -> (JournalRef, QueryRef, ()) {
///     let stores = MemoryStores::spawn().await;
///     (stores.journal(), stores.query(), ())
/// }
///
/// mod contract {
///     annals_testkit::query_suite!(super::setup());
/// }
/// ```
///
/// [`JournalRef`]: annals_persistence::JournalRef
/// [`QueryRef`]: annals_persistence::QueryRef
/// [`journal_suite!`]: crate::journal_suite
#[macro_export]
macro_rules! query_suite {
    ($setup:expr $(, without: [$($without:ident),* $(,)?])? $(,)?) => {
        $(const _: &[$crate::suite::Capability] = &[$($crate::suite::Capability::$without),*];)?
        $crate::query_cases! { suite_tests_of [query, $setup, [$($($without)*)?]] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! suite_tests {
    ($store:ident, $setup:expr, $($case:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let (store, _alive) = $setup.await;
                // Moved into the case, so that the store goes before what keeps it alive.
                async move { $crate::suite::$store::$case(&store).await }.await;
            }
        )+
    };
}
