use std::fmt;
use std::pin::Pin;

/// One case of a suite, to run by hand: for stores whose tests are not written in Rust's own
/// harness, or that want to choose the cases at run time.
///
/// ```
/// use annals_persistence::JournalCapacity;
/// use annals_testkit::MemoryJournal;
/// use annals_testkit::suite::{Capability, journal};
///
/// # #[tokio::main]
/// # async fn main() {
/// let without = [Capability::LargePayloads];
/// for case in journal::cases().iter().filter(|case| case.runs_without(&without)).take(3) {
///     println!("{}", case.name());
///     case.run(MemoryJournal::spawn(JournalCapacity::default()).await).await;
/// }
/// # }
/// ```
pub struct Case<S> {
    pub(super) name: &'static str,
    pub(super) tck: Option<Tck>,
    pub(super) needs: &'static [Capability],
    pub(super) run: fn(S) -> Running,
}

/// A case at work.
pub(super) type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The same case in the persistence TCK of Pekko.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tck {
    /// Our number for it: `J` for the journal, `P` for its performance, `S` for the snapshot store,
    /// counted in the order of the spec.
    pub number: &'static str,
    /// The name of the test there, behind "A journal must" or "A snapshot store must".
    pub name: &'static str,
}

/// What a store may do without. Everything else is asked of every store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Gives back the [`Metadata`](annals_persistence::Metadata) of events and of snapshots.
    Metadata,
    /// Holds payloads of a million bytes.
    LargePayloads,
    /// Keeps more than the newest snapshot of a persistence id.
    OlderSnapshots,
    /// Answers queries by tag.
    EventsByTag,
    /// Answers queries by persistence id.
    EventsByPersistenceId,
    /// Answers queries for the persistence ids.
    PersistenceIds,
    /// Goes on with what is new, where a query asks for that.
    LiveQueries,
    /// Chooses events by slices or by entity type, or gives all of them; and persistence ids by entity
    /// type, or a page at a time.
    Selections,
}

impl<S> Case<S> {
    /// The name of its function, and of its test.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The same case in the TCK, where there is one.
    pub const fn tck(&self) -> Option<Tck> {
        self.tck
    }

    /// What the store must be able to do for it, beyond what every store must.
    pub const fn needs(&self) -> &'static [Capability] {
        self.needs
    }

    /// Whether a store without these capabilities passes the case.
    pub fn runs_without(&self, without: &[Capability]) -> bool {
        !self.needs.iter().any(|need| without.contains(need))
    }

    /// Runs it on a store, which may hold whatever other cases left there.
    ///
    /// # Panics
    /// The future panics where the store does not do what the case asks for.
    pub fn run(&self, store: S) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        (self.run)(store)
    }
}

impl<S> fmt::Debug for Case<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("tck", &self.tck)
            .field("needs", &self.needs)
            .finish_non_exhaustive()
    }
}
