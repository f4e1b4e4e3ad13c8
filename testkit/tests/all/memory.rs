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

mod queries {
    use annals_persistence::{JournalRef, QueryRef};
    use annals_testkit::MemoryStores;

    async fn empty_stores() -> (JournalRef, QueryRef, ()) {
        let stores = MemoryStores::spawn().await;
        (stores.journal(), stores.query(), ())
    }

    annals_testkit::query_suite!(empty_stores());
}

/// A case that its list forgets would never run on any store.
mod completeness {
    use annals_testkit::suite::{Case, journal, query, snapshot};

    fn functions(sources: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = sources
            .iter()
            .flat_map(|source| source.split("pub async fn ").skip(1))
            .filter_map(|rest| Some(rest.split_once('(')?.0.to_owned()))
            .collect();
        names.sort();
        names
    }

    fn listed<S>(cases: &[Case<S>]) -> Vec<&str> {
        let mut names: Vec<&str> = cases.iter().map(Case::name).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn every_case_is_in_its_list() {
        let journal = functions(&[
            include_str!("../../src/suite/journal/concurrency.rs"),
            include_str!("../../src/suite/journal/conflict.rs"),
            include_str!("../../src/suite/journal/content.rs"),
            include_str!("../../src/suite/journal/delete.rs"),
            include_str!("../../src/suite/journal/many.rs"),
            include_str!("../../src/suite/journal/replace.rs"),
            include_str!("../../src/suite/journal/replay.rs"),
            include_str!("../../src/suite/journal/room.rs"),
        ]);
        assert_eq!(listed(journal::cases()), journal);

        let snapshot = functions(&[
            include_str!("../../src/suite/snapshot/delete.rs"),
            include_str!("../../src/suite/snapshot/load.rs"),
            include_str!("../../src/suite/snapshot/save.rs"),
        ]);
        assert_eq!(listed(snapshot::cases()), snapshot);

        let query = functions(&[
            include_str!("../../src/suite/query/all_events.rs"),
            include_str!("../../src/suite/query/by_expression.rs"),
            include_str!("../../src/suite/query/by_persistence_id.rs"),
            include_str!("../../src/suite/query/by_slices.rs"),
            include_str!("../../src/suite/query/by_tag.rs"),
            include_str!("../../src/suite/query/hand_over.rs"),
            include_str!("../../src/suite/query/persistence_ids.rs"),
            include_str!("../../src/suite/query/selected_ids.rs"),
            include_str!("../../src/suite/query/subscribers.rs"),
            include_str!("../../src/suite/query/writers.rs"),
        ]);
        assert_eq!(listed(query::cases()), query);
    }

    #[test]
    fn every_case_of_the_tck_is_there_once() {
        fn numbers<S>(cases: &[Case<S>]) -> Vec<&str> {
            cases
                .iter()
                .filter_map(|it| Some(it.tck()?.number))
                .collect()
        }
        let expected = |letter: char, last| (1..=last).map(move |it| format!("{letter}{it}"));
        let of_journals: Vec<String> = expected('J', 22).chain(expected('P', 3)).collect();
        assert_eq!(numbers(journal::cases()), of_journals);
        let of_snapshots: Vec<String> = expected('S', 13).collect();
        assert_eq!(numbers(snapshot::cases()), of_snapshots);
    }
}
