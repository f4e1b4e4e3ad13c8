//! How a list of cases becomes tests, and a list of [`Case`](super::Case)s.

/// One test a row of a list of cases.
#[doc(hidden)]
#[macro_export]
macro_rules! suite_tests_of {
    (
        $suite:tt
        $( $case:ident $(= $number:ident $title:literal)? $(, needs $($need:ident)+)? ; )+
    ) => {
        $( $crate::suite_test! { $suite $case [$($($need)+)?] } )+
    };
}

/// One test. It is ignored, with the reason, where the list of what the store does without names
/// something that the case needs.
#[doc(hidden)]
#[macro_export]
macro_rules! suite_test {
    ([$module:ident, $setup:expr, $without:tt] $case:ident $needs:tt) => {
        $crate::suite_test! { @need $needs $without $without $module $case ($setup) }
    };

    // Nothing more is needed: the test is an ordinary one.
    (@need [] $some:tt $all:tt $module:ident $case:ident $setup:tt) => {
        $crate::suite_test! { @write $module $case $setup }
    };
    // The store has it; is there another need?
    (@need [$met:ident $($needs:ident)*] [] $all:tt $module:ident $case:ident $setup:tt) => {
        $crate::suite_test! { @need [$($needs)*] $all $all $module $case $setup }
    };
    // The store does without it. A macro can compare names only with such as it knows.
    (@need [Metadata $($n:ident)*] [Metadata $($w:ident)*] $($rest:tt)+) => {
        $crate::suite_test! { @ignore "the store does without Metadata" $($rest)+ }
    };
    (@need [LargePayloads $($n:ident)*] [LargePayloads $($w:ident)*] $($rest:tt)+) => {
        $crate::suite_test! { @ignore "the store does without LargePayloads" $($rest)+ }
    };
    (@need [OlderSnapshots $($n:ident)*] [OlderSnapshots $($w:ident)*] $($rest:tt)+) => {
        $crate::suite_test! { @ignore "the store does without OlderSnapshots" $($rest)+ }
    };
    (@need [EventsByTag $($n:ident)*] [EventsByTag $($w:ident)*] $($rest:tt)+) => {
        $crate::suite_test! { @ignore "the store does without EventsByTag" $($rest)+ }
    };
    (@need [EventsByPersistenceId $($n:ident)*] [EventsByPersistenceId $($w:ident)*] $($rest:tt)+) => {
        $crate::suite_test! { @ignore "the store does without EventsByPersistenceId" $($rest)+ }
    };
    (@need [PersistenceIds $($n:ident)*] [PersistenceIds $($w:ident)*] $($rest:tt)+) => {
        $crate::suite_test! { @ignore "the store does without PersistenceIds" $($rest)+ }
    };
    (@need [LiveQueries $($n:ident)*] [LiveQueries $($w:ident)*] $($rest:tt)+) => {
        $crate::suite_test! { @ignore "the store does without LiveQueries" $($rest)+ }
    };
    (@need [Selections $($n:ident)*] [Selections $($w:ident)*] $($rest:tt)+) => {
        $crate::suite_test! { @ignore "the store does without Selections" $($rest)+ }
    };
    // Not this one; is it the next?
    (@need $needs:tt [$other:ident $($without:ident)*] $($rest:tt)+) => {
        $crate::suite_test! { @need $needs [$($without)*] $($rest)+ }
    };

    (@ignore $reason:literal $all:tt $module:ident $case:ident $setup:tt) => {
        $crate::suite_test! { @write $module $case $setup #[ignore = $reason] }
    };
    (@write $module:ident $case:ident ($setup:expr) $(#[$ignored:meta])?) => {
        #[tokio::test(flavor = "multi_thread")]
        $(#[$ignored])?
        async fn $case() {
            let (store, _alive) = $crate::suite::Given::apart($setup.await);
            // Moved into the case, so that the store goes before what keeps it alive.
            async move { $crate::suite::$module::$case(&store).await }.await;
        }
    };
}

/// The `cases()` of a suite.
#[doc(hidden)]
#[macro_export]
macro_rules! suite_list {
    (
        [$store:ty]
        $( $case:ident $(= $number:ident $title:literal)? $(, needs $($need:ident)+)? ; )+
    ) => {
        /// Every case, in the order of the table in `docs/contract-suite.md`.
        pub const fn cases() -> &'static [$crate::suite::Case<$store>] {
            const CASES: &[$crate::suite::Case<$store>] = &[
                $( $crate::suite::Case {
                    name: stringify!($case),
                    tck: $crate::suite_list!(@tck $($number $title)?),
                    needs: &[$($($crate::suite::Capability::$need),+)?],
                    run: |store| Box::pin(async move { $case(&store).await }),
                } ),+
            ];
            CASES
        }
    };
    (@tck) => { None };
    (@tck $number:ident $title:literal) => {
        Some($crate::suite::Tck { number: stringify!($number), name: $title })
    };
}
