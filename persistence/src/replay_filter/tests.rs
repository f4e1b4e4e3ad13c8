//! The cases of Pekko's `ReplayFilterSpec`, each under the name that it has there, then our own.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use proptest::prelude::*;

use super::*;

/// A sequence number and its writer.
#[derive(Clone, Debug, PartialEq)]
struct Event(u32, &'static str);

impl ReplayedEvent for Event {
    fn sequence_number(&self) -> SequenceNumber {
        self.0.into()
    }

    fn writer(&self) -> &str {
        self.1
    }
}

fn filter(mode: ReplayFilterMode) -> ReplayFilter {
    ReplayFilter {
        mode,
        ..ReplayFilter::default()
    }
}

/// What comes out, and why no more.
fn replay(filter: ReplayFilter, events: &[Event]) -> (Vec<Event>, Option<ReplayFilterError>) {
    let mut window = filter.begin(PersistenceId::parse("p1").unwrap());
    let mut out = Vec::new();
    for event in events {
        match window.accept(event.clone()) {
            Ok(left) => out.extend(left),
            Err(error) => return (out, Some(error)),
        }
        assert!(window.held.len() <= filter.window.max(1), "{window:?}");
    }
    out.extend(window.finish());
    (out, None)
}

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One for all tests, each of which has a thread: `tracing` forgets a log statement that another
/// thread is the first to reach while a subscriber is set for one thread only.
static SUBSCRIBER: Once = Once::new();

struct ThreadLog;

impl io::Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What comes out of a replay that does not fail, and the warnings.
fn replayed(filter: ReplayFilter, events: &[Event]) -> (Vec<Event>, Vec<String>) {
    SUBSCRIBER.call_once(|| {
        tracing_subscriber::fmt()
            .with_writer(|| ThreadLog)
            .with_ansi(false)
            .init();
        tracing::callsite::rebuild_interest_cache();
    });
    LOG.take();
    let (out, error) = replay(filter, events);
    assert_eq!(error, None);
    let log = String::from_utf8(LOG.take()).unwrap();
    (out, log.lines().map(str::to_owned).collect())
}

fn failure(filter: ReplayFilter, events: &[Event]) -> ReplayFilterError {
    replay(filter, events).1.expect("the replay must fail")
}

const OVERLAP: [Event; 4] = [
    Event(13, "writer-A"),
    Event(14, "writer-A"),
    Event(15, "writer-A"),
    Event(15, "writer-B"),
];

const OLD_WRITER_GOES_ON: [Event; 5] = [
    Event(13, "writer-A"),
    Event(14, "writer-A"),
    Event(15, "writer-B"),
    Event(15, "writer-A"),
    Event(16, "writer-A"),
];

const SEVERAL_OLD_WRITERS: [Event; 7] = [
    Event(13, "writer-A"),
    Event(14, "writer-B"),
    Event(15, "writer-C"),
    Event(14, "writer-A"),
    Event(15, "writer-A"),
    Event(15, "writer-B"),
    Event(16, "writer-C"),
];

mod replay_filter_in_repair_by_discard_old_mode_must {
    use super::*;

    const MODE: ReplayFilterMode = ReplayFilterMode::RepairByDiscardOld;

    fn passes_with_window(window: usize, events: &[Event]) {
        let filter = ReplayFilter {
            window,
            ..filter(MODE)
        };
        assert_eq!(replayed(filter, events), (events.to_vec(), vec![]));
    }

    #[test]
    fn pass_on_all_replayed_messages() {
        passes_with_window(2, &OVERLAP[..3]);
    }

    #[test]
    fn pass_on_all_replayed_messages_when_previously_no_writer_id_was_given_but_now_is() {
        passes_with_window(2, &[Event(13, ""), Event(14, ""), Event(15, "writer-A")]);
    }

    #[test]
    fn pass_on_all_replayed_messages_when_switching_writer() {
        passes_with_window(100, &OLD_WRITER_GOES_ON[..3]);
    }

    #[test]
    fn discard_message_with_same_seq_no_from_old_overlapping_writer() {
        let (out, warnings) = replayed(filter(MODE), &OVERLAP);
        let [m1, m2, _, m3b] = OVERLAP;
        assert_eq!(out, [m1, m2, m3b]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    }

    #[test]
    fn discard_messages_from_old_writer_after_switching_writer() {
        let (out, warnings) = replayed(filter(MODE), &OLD_WRITER_GOES_ON);
        assert_eq!(out, OLD_WRITER_GOES_ON[..3]);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
    }

    #[test]
    fn discard_messages_from_several_old_writers() {
        let (out, warnings) = replayed(filter(MODE), &SEVERAL_OLD_WRITERS);
        let [m1, m2b, m3c, .., m4c] = SEVERAL_OLD_WRITERS;
        assert_eq!(out, [m1, m2b, m3c, m4c]);
        assert_eq!(warnings.len(), 3, "{warnings:?}");
    }
}

mod replay_filter_in_fail_mode_must {
    use super::*;

    #[test]
    fn fail_when_message_with_same_seq_no_from_old_overlapping_writer() {
        assert_eq!(
            failure(filter(ReplayFilterMode::Fail), &OVERLAP),
            ReplayFilterError::Overlap {
                persistence_id: PersistenceId::parse("p1").unwrap(),
                sequence_number: 15.into(),
                writer: "writer-B".to_owned(),
                older_event: 15.into(),
                older_writer: "writer-A".to_owned(),
            }
        );
    }

    #[test]
    fn fail_when_messages_from_old_writer_after_switching_writer() {
        assert_eq!(
            failure(filter(ReplayFilterMode::Fail), &OLD_WRITER_GOES_ON),
            ReplayFilterError::OldWriter {
                persistence_id: PersistenceId::parse("p1").unwrap(),
                sequence_number: 15.into(),
                writer: "writer-A".to_owned(),
                newer_writer: "writer-B".to_owned(),
                reached: 15.into(),
            }
        );
    }
}

mod replay_filter_in_warn_mode_must {
    use super::*;

    fn warns(events: &[Event], times: usize) {
        let (out, warnings) = replayed(filter(ReplayFilterMode::Warn), events);
        assert_eq!(out, events);
        assert_eq!(warnings.len(), times, "{warnings:?}");
        for warning in warnings {
            assert!(
                warning.contains("WARN") && warning.contains(" p1 "),
                "{warning}"
            );
        }
    }

    #[test]
    fn warn_about_message_with_same_seq_no_from_old_overlapping_writer() {
        warns(&OVERLAP, 1);
    }

    #[test]
    fn warn_about_messages_from_old_writer_after_switching_writer() {
        warns(&OLD_WRITER_GOES_ON, 2);
    }

    #[test]
    fn warn_about_messages_from_several_old_writers() {
        warns(&SEVERAL_OLD_WRITERS, 3);
    }
}

#[test]
fn off_passes_everything_at_once() {
    let mut window = ReplayFilter::OFF.begin(PersistenceId::parse("p1").unwrap());
    for event in SEVERAL_OLD_WRITERS {
        assert_eq!(window.accept(event.clone()), Ok(Some(event)));
        assert_eq!(window.held.capacity(), 0, "nothing was ever buffered");
    }
    assert_eq!(window.finish().count(), 0);
}

#[test]
fn a_writer_that_goes_back_is_out_of_sequence() {
    let events = [
        Event(13, "a"),
        Event(14, "a"),
        Event(13, "a"),
        Event(15, "a"),
    ];
    let (out, warnings) = replayed(filter(ReplayFilterMode::RepairByDiscardOld), &events);
    assert_eq!(out, [Event(13, "a"), Event(14, "a"), Event(15, "a")]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(
        failure(filter(ReplayFilterMode::Fail), &events),
        ReplayFilterError::OutOfSequence {
            persistence_id: PersistenceId::parse("p1").unwrap(),
            sequence_number: 13.into(),
            writer: "a".to_owned(),
            reached: 14.into(),
        }
    );
}

/// A window of one event still holds the one that a new writer may displace.
#[test]
fn the_smallest_window_repairs_the_smallest_overlap() {
    for window in [0, 1] {
        let filter = ReplayFilter {
            window,
            ..ReplayFilter::default()
        };
        let (out, _) = replayed(filter, &OVERLAP);
        let [m1, m2, _, m3b] = OVERLAP;
        assert_eq!(out, [m1, m2, m3b]);
    }
}

/// What was applied cannot be taken back: better no entity than one that holds both.
#[test]
fn repair_fails_where_the_window_is_too_small() {
    let filter = ReplayFilter {
        window: 2,
        ..ReplayFilter::default()
    };
    let events = [Event(1, "a"), Event(2, "a"), Event(3, "a"), Event(1, "b")];
    let error = failure(filter, &events);
    assert_eq!(
        error,
        ReplayFilterError::BeyondWindow {
            persistence_id: PersistenceId::parse("p1").unwrap(),
            sequence_number: 1.into(),
            writer: "b".to_owned(),
            older_event: 1.into(),
            older_writer: "a".to_owned(),
            window: 2,
        }
    );
    assert!(error.to_string().contains("2 events"), "{error}");
    for mode in [ReplayFilterMode::Fail, ReplayFilterMode::Warn] {
        let filter = ReplayFilter { mode, ..filter };
        let (out, error) = replay(filter, &events);
        match mode {
            ReplayFilterMode::Fail => assert!(error.is_some()),
            _ => assert_eq!((out.as_slice(), error), (events.as_slice(), None)),
        }
    }
}

#[test]
fn only_so_many_old_writers_are_remembered() {
    let events = [Event(1, "a"), Event(2, "b"), Event(3, "c"), Event(4, "a")];
    let remembering = |max_old_writers| ReplayFilter {
        max_old_writers,
        ..ReplayFilter::default()
    };
    assert_eq!(replayed(remembering(2), &events).0, events[..3]);
    assert_eq!(replayed(remembering(1), &events).0, events);
}

#[test]
fn rows_without_a_writer_are_no_old_writer() {
    let events = [Event(1, ""), Event(2, "a"), Event(3, "")];
    let filter = ReplayFilter::default();
    assert_eq!(replayed(filter, &events), (events.to_vec(), vec![]));
}

fn modes() -> impl Strategy<Value = ReplayFilterMode> {
    prop::sample::select(vec![
        ReplayFilterMode::RepairByDiscardOld,
        ReplayFilterMode::Fail,
        ReplayFilterMode::Warn,
        ReplayFilterMode::Off,
    ])
}

fn filters() -> impl Strategy<Value = ReplayFilter> {
    (modes(), 0..8_usize, 0..4_usize).prop_map(|(mode, window, max_old_writers)| ReplayFilter {
        mode,
        window,
        max_old_writers,
    })
}

/// Histories that look like mixed ones: numbers that mostly grow, writers that mostly stay.
fn histories() -> impl Strategy<Value = Vec<Event>> {
    let writer = prop::sample::select(vec!["", "a", "b", "c", "d"]);
    let step = (
        prop_oneof![6 => Just(1_i32), 1 => Just(0), 2 => -6..0_i32],
        prop::option::weighted(0.3, writer),
    );
    prop::collection::vec(step, 0..60).prop_map(|steps| {
        let (mut number, mut writer) = (1_i32, "a");
        steps
            .into_iter()
            .map(|(step, changes)| {
                number = (number + step).max(1);
                writer = changes.unwrap_or(writer);
                Event(number as u32, writer)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn a_history_of_one_writer_passes_unchanged_in_every_mode(
        filter in filters(),
        mut numbers in prop::collection::vec(1..50_u32, 0..60),
        writer in prop::sample::select(vec!["", "a"]),
    ) {
        numbers.sort_unstable();
        let events: Vec<Event> = numbers.into_iter().map(|number| Event(number, writer)).collect();
        prop_assert_eq!(replay(filter, &events), (events, None));
    }

    /// Writers that follow each other, as incarnations of an entity do.
    #[test]
    fn a_history_of_writers_that_take_turns_in_order_passes_unchanged_in_every_mode(
        filter in filters(),
        turns in prop::collection::vec(0..5_usize, 0..4),
    ) {
        let writers = ["a", "b", "c", "d"];
        let events: Vec<Event> = turns
            .iter()
            .zip(writers)
            .flat_map(|(count, writer)| std::iter::repeat_n(writer, *count))
            .zip(1..)
            .map(|(writer, number)| Event(number, writer))
            .collect();
        prop_assert_eq!(replay(filter, &events), (events, None));
    }

    #[test]
    fn what_is_repaired_is_in_order(filter in filters(), events in histories()) {
        let filter = ReplayFilter { mode: ReplayFilterMode::RepairByDiscardOld, ..filter };
        let (out, error) = replay(filter, &events);
        for pair in out.windows(2) {
            prop_assert!(pair[0].0 <= pair[1].0, "{:?}", out);
            prop_assert!(pair[0].0 < pair[1].0 || pair[0].1 == pair[1].1, "two writers of one number: {:?}", out);
        }
        let mut rest = events.iter();
        prop_assert!(out.iter().all(|event| rest.any(|other| other == event)), "another order: {:?}", out);
        prop_assert!(
            matches!(error, None | Some(ReplayFilterError::BeyondWindow { .. })),
            "{:?}", error
        );
    }

    #[test]
    fn warning_changes_nothing(filter in filters(), events in histories()) {
        let filter = ReplayFilter { mode: ReplayFilterMode::Warn, ..filter };
        prop_assert_eq!(replay(filter, &events), (events, None));
    }

    /// The modes agree on what is a fault.
    #[test]
    fn what_does_not_fail_needs_no_repair(filter in filters(), events in histories()) {
        let with = |mode| replay(ReplayFilter { mode, ..filter }, &events);
        let (out, error) = with(ReplayFilterMode::Fail);
        let (repaired, _) = with(ReplayFilterMode::RepairByDiscardOld);
        if error.is_none() {
            prop_assert_eq!(&out, &events);
        }
        prop_assert_eq!(error.is_none(), repaired == events);
    }
}
