//! `docs/contract-suite.md` tells every case and every fault: this is where its tables come from.

use std::fmt::Write as _;

use annals_testkit::suite::{Case, journal, query, snapshot};

use super::{Caught, journals, queries, snapshots};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/contract-suite.md");

#[test]
fn every_case_catches_a_broken_store() {
    expect_all_catch(journal::cases(), journals::CAUGHT);
    expect_all_catch(snapshot::cases(), snapshots::CAUGHT);
    expect_all_catch(query::cases(), queries::CAUGHT);
}

fn expect_all_catch<S>(cases: &[Case<S>], caught: &[Caught]) {
    for case in cases {
        assert!(
            caught.iter().any(|caught| caught.by.contains(&case.name())),
            "no broken store is caught by {}: who says that it bites?",
            case.name()
        );
    }
}

#[test]
fn the_document_has_every_case_and_every_fault() {
    expect_table("journal cases", &cases_table(journal::cases()));
    expect_table("snapshot cases", &cases_table(snapshot::cases()));
    expect_table("query cases", &cases_table(query::cases()));
    expect_table("journal faults", &faults_table(journals::CAUGHT));
    expect_table("snapshot faults", &faults_table(snapshots::CAUGHT));
    expect_table("query faults", &faults_table(queries::CAUGHT));
}

/// Between `<!-- name -->` and `<!-- end -->` stands the table as the lists of the code give it.
fn expect_table(name: &str, expected: &str) {
    let document = std::fs::read_to_string(DOCUMENT).expect("docs/contract-suite.md");
    let (begin, end) = (format!("<!-- {name} -->\n\n"), "\n<!-- end -->");
    let table = document
        .split_once(&begin)
        .and_then(|(_, behind)| behind.split_once(end))
        .map(|(table, _)| table);
    assert!(
        table == Some(expected),
        "docs/contract-suite.md must hold this between {begin:?} and {end:?}:\n\n{expected}"
    );
}

fn cases_table<S>(cases: &[Case<S>]) -> String {
    let mut table = "| case | in Pekko's TCK | needs |\n|---|---|---|\n".to_owned();
    for case in cases {
        let tck = case
            .tck()
            .map_or_else(String::new, |tck| format!("{}: {}", tck.number, tck.name));
        let needs: Vec<String> = case
            .needs()
            .iter()
            .map(|need| format!("`{need:?}`"))
            .collect();
        let needs = needs.join(", ");
        writeln!(table, "| `{}` | {tck} | {needs} |", case.name()).expect("a string takes it");
    }
    table
}

fn faults_table(caught: &[Caught]) -> String {
    let mut table = "| a store that | is caught by |\n|---|---|\n".to_owned();
    for Caught { fault, by } in caught {
        let fault = fault.replace('_', " ");
        let by: Vec<String> = by.iter().map(|case| format!("`{case}`")).collect();
        writeln!(table, "| {fault} | {} |", by.join(", ")).expect("a string takes it");
    }
    table
}
