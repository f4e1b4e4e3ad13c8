//! The circuit breaker in front of a journal that falls ill.

mod entity;
mod holes;
mod patient;
mod recovery;
mod refusal;
mod shutdown;
mod verdict;

/// Closed, it changes nothing.
mod closed {
    use annals_persistence::{BreakerSettings, CircuitBreaker, JournalCapacity, JournalRef};
    use annals_testkit::MemoryJournal;

    async fn guarded_journal() -> (JournalRef, ()) {
        let journal = MemoryJournal::spawn(JournalCapacity::default()).await;
        (
            CircuitBreaker::around(journal, BreakerSettings::default()).await,
            (),
        )
    }

    annals_testkit::journal_suite!(guarded_journal());
}
