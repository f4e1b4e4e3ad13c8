//! Stores that break the contract in one way each, and the cases that catch each of them: a suite
//! that everything passes would be worth nothing.

mod journals;
mod queries;
mod report;
mod snapshots;

use annals_testkit::suite::{Capability, Case};

/// A fault, in words, and the cases that catch it.
struct Caught {
    fault: &'static str,
    by: &'static [&'static str],
}

/// One test a fault, and the list of them.
macro_rules! caught {
    ($suite:ident: $($test:ident: $fault:ident => $($case:ident),+;)+) => {
        $(
            // A reader that waits for ever is found at once.
            #[tokio::test(start_paused = true)]
            async fn $test() {
                for case in [$(stringify!($case)),+] {
                    let case = super::case_of(annals_testkit::suite::$suite::cases(), case);
                    super::expect_passed(case, store(None).await).await;
                    super::expect_caught(case, store(Some(Fault::$fault)).await).await;
                }
            }
        )+

        pub(super) const CAUGHT: &[super::Caught] = &[
            $( super::Caught { fault: stringify!($test), by: &[$(stringify!($case)),+] } ),+
        ];
    };
}
use caught;

fn case_of<S>(cases: &'static [Case<S>], name: &str) -> &'static Case<S> {
    cases
        .iter()
        .find(|case| case.name() == name)
        .unwrap_or_else(|| panic!("there is no case {name}"))
}

async fn expect_passed<S>(case: &Case<S>, sound: S) {
    if let Err(error) = tokio::spawn(case.run(sound)).await {
        panic!("a sound store passes {}: {error}", case.name());
    }
}

async fn expect_caught<S>(case: &Case<S>, broken: S) {
    let run = tokio::spawn(case.run(broken)).await;
    assert!(
        run.is_err_and(|error| error.is_panic()),
        "{} must catch it",
        case.name()
    );
}

/// A store that does without the capability passes what does not need it, and nothing else.
async fn expect_fits<S, F: Future<Output = S>>(
    cases: &[Case<S>],
    without: Capability,
    store: impl Fn() -> F,
) {
    for case in cases {
        if case.runs_without(&[without]) {
            expect_passed(case, store().await).await;
        } else {
            expect_caught(case, store().await).await;
        }
    }
}
