use annals_persistence::{JournalRef, QueryRef};

/// What a `setup` gives: the store under test, and what has to live as long as it does.
#[doc(hidden)]
pub trait Given {
    /// What the cases are given.
    type Store;
    /// What has to outlive it.
    type Alive;

    /// The two apart.
    fn apart(self) -> (Self::Store, Self::Alive);
}

impl<S, A> Given for (S, A) {
    type Store = S;
    type Alive = A;

    fn apart(self) -> (S, A) {
        self
    }
}

impl<A> Given for (JournalRef, QueryRef, A) {
    type Store = super::query::JournalAndQueries;
    type Alive = A;

    fn apart(self) -> (Self::Store, A) {
        let (journal, queries, alive) = self;
        (super::query::JournalAndQueries { journal, queries }, alive)
    }
}
