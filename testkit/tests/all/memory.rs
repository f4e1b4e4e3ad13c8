mod journal {
    use annals_persistence::{JournalCapacity, JournalRef};
    use annals_testkit::MemoryJournal;

    async fn empty_journal() -> (JournalRef, ()) {
        (MemoryJournal::spawn(JournalCapacity::default()).await, ())
    }

    annals_testkit::journal_suite!(empty_journal());
}

/// Every write waits for the one before it: capacity must change nothing but speed.
mod journal_with_room_for_one_write {
    use std::time::Duration;

    use annals_persistence::{JournalCapacity, JournalRef};
    use annals_testkit::MemoryJournal;

    async fn small_journal() -> (JournalRef, ()) {
        let capacity = JournalCapacity {
            events: 1,
            kibibytes: 1,
            patience: Duration::from_secs(60),
        };
        (MemoryJournal::spawn(capacity).await, ())
    }

    annals_testkit::journal_suite!(small_journal());
}

mod snapshots {
    use annals_persistence::SnapshotRef;
    use annals_testkit::MemorySnapshots;

    async fn empty_store() -> (SnapshotRef, ()) {
        (MemorySnapshots::spawn().await, ())
    }

    annals_testkit::snapshot_suite!(empty_store());
}

/// A case that the macros forget would never run on any store.
mod completeness {
    fn functions(sources: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = sources
            .iter()
            .flat_map(|source| source.split("pub async fn ").skip(1))
            .filter_map(|rest| Some(rest.split_once('(')?.0.to_owned()))
            .collect();
        names.sort();
        names
    }

    /// The names that stand in the macro, one a line.
    fn listed(macro_name: &str) -> Vec<String> {
        let source = include_str!("../../src/suite.rs");
        let mut names: Vec<String> = source
            .split_once(&format!("macro_rules! {macro_name} "))
            .and_then(|(_, body)| body.split_once("$setup,"))
            .and_then(|(_, names)| names.split_once('}'))
            .map(|(names, _)| names.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default();
        names.sort();
        names
    }

    #[test]
    fn every_case_is_in_its_macro() {
        let journal = functions(&[
            include_str!("../../src/suite/journal/concurrency.rs"),
            include_str!("../../src/suite/journal/conflict.rs"),
            include_str!("../../src/suite/journal/content.rs"),
            include_str!("../../src/suite/journal/delete.rs"),
            include_str!("../../src/suite/journal/replay.rs"),
        ]);
        assert!(journal.len() > 40, "{journal:?}");
        assert_eq!(listed("journal_suite"), journal);

        let snapshot = functions(&[
            include_str!("../../src/suite/snapshot/delete.rs"),
            include_str!("../../src/suite/snapshot/load.rs"),
            include_str!("../../src/suite/snapshot/save.rs"),
        ]);
        assert!(snapshot.len() > 12, "{snapshot:?}");
        assert_eq!(listed("snapshot_suite"), snapshot);
    }
}
