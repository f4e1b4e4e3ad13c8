/// A case that the macro forgets would never run on any store.
#[test]
fn every_case_is_in_the_macro() {
    let sources = [
        include_str!("../../../src/suite/durable_state/changes.rs"),
        include_str!("../../../src/suite/durable_state/content.rs"),
        include_str!("../../../src/suite/durable_state/live.rs"),
        include_str!("../../../src/suite/durable_state/revision.rs"),
        include_str!("../../../src/suite/durable_state/tck.rs"),
    ];
    let mut cases: Vec<&str> = sources
        .iter()
        .flat_map(|source| source.split("pub async fn ").skip(1))
        .filter_map(|rest| Some(rest.split_once('(')?.0))
        .collect();
    cases.sort_unstable();
    assert!(cases.len() > 30, "{cases:?}");

    let source = include_str!("../../../src/suite/durable_state.rs");
    let mut listed: Vec<&str> = source
        .split_once("{ durable_state, $setup,")
        .and_then(|(_, names)| names.split_once('}'))
        .map(|(names, _)| names.split_whitespace().collect())
        .unwrap_or_default();
    listed.sort_unstable();
    assert_eq!(listed, cases);

    let document = include_str!("../../../../docs/contract-suite.md");
    let (_, section) = document.split_once("## Durable states").unwrap_or_default();
    let untold: Vec<&str> = cases
        .into_iter()
        .filter(|case| !section.contains(&format!("| `{case}` |")))
        .collect();
    assert!(
        untold.is_empty(),
        "docs/contract-suite.md leaves out {untold:?}"
    );
}
