//! How an open breaker closes again.

use std::cell::RefCell;
use std::io;

use annals_persistence::{BreakerSettings, BreakerState, CircuitBreaker};

use super::patient::{Author, Health, SETTINGS, World, refused, seconds};

#[tokio::test(start_paused = true)]
async fn one_call_goes_through_when_the_time_is_over_and_closes_it() {
    let world = World::open().await;
    let (calls, author) = (world.calls(), Author::of("p-1"));
    seconds(29).await;
    refused(world.write(&author, 1).await);
    seconds(1).await;
    world.turns(Health::Silent);
    let others = ["p-2", "p-3", "p-4"].map(Author::of);
    let (probe, ..) = tokio::join!(world.write(&author, 1), async {
        for other in &others {
            assert_eq!(refused(world.write(other, 1).await), 10);
            assert_eq!(world.state(), BreakerState::HalfOpen);
        }
        assert_eq!(world.calls(), calls + 1);
    });
    probe.unwrap_err();
    assert_eq!(world.state(), BreakerState::Open);

    seconds(60).await;
    world.turns(Health::Well);
    world.write(&author, 1).await.unwrap();
    assert_eq!(world.state(), BreakerState::Closed);
    for other in &others {
        world.write(other, 1).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn replays_and_deletes_can_be_the_one_call() {
    let world = World::open().await;
    seconds(30).await;
    world.turns(Health::Well);
    world.replay("p-1").await.unwrap();
    assert_eq!(world.state(), BreakerState::Closed);

    world.trip().await;
    seconds(30).await;
    world.turns(Health::Well);
    world.delete("p-1").await.unwrap();
    assert_eq!(world.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn it_stays_open_longer_while_the_journal_fails() {
    let world = World::open().await;
    let author = Author::of("p-1");
    for open_for in [30, 60, 100, 100] {
        assert_eq!(refused(world.write(&author, 1).await), open_for);
        seconds(open_for).await;
        world.replay("p-1").await.unwrap_err();
    }
    seconds(100).await;
    world.turns(Health::Well);
    world.write(&author, 1).await.unwrap();
    world.trip().await;
    assert_eq!(refused(world.write(&author, 2).await), 30, "it counts anew");
}

/// Processes that lost one server at one moment come back at different ones.
#[tokio::test(start_paused = true)]
async fn chance_sets_breakers_apart() {
    let world = World::new().await;
    world.turns(Health::Down);
    let settings = BreakerSettings {
        max_failures: 1,
        jitter: 0.5,
        ..SETTINGS
    };
    let mut waits = Vec::new();
    for _ in 0..20 {
        let journal = CircuitBreaker::around(world.patient.clone(), settings).await;
        let author = Author::of("p-1");
        journal.write(author.event(1)).await.unwrap_err();
        let wait = refused_for(journal.write(author.event(1)).await);
        assert!((30_000..=45_000).contains(&wait), "{wait}");
        waits.push(wait);
    }
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 10, "{waits:?}");
}

fn refused_for(result: Result<(), annals_persistence::WriteError>) -> u128 {
    match result {
        Err(annals_persistence::WriteError::BreakerOpen { retry_in, .. }) => retry_in.as_millis(),
        other => panic!("the breaker must refuse the write: {other:?}"),
    }
}

/// The caller of the one call may give up; the breaker must not wait for it for ever.
#[tokio::test(start_paused = true)]
async fn a_one_call_that_nobody_waits_for_is_settled() {
    let world = World::open().await;
    seconds(30).await;
    world.turns(Health::Silent);
    let write = Author::of("p-1").event(1);
    tokio::time::timeout(SETTINGS.call_timeout / 10, world.journal.write(write))
        .await
        .unwrap_err();
    assert_eq!(world.state(), BreakerState::HalfOpen);
    seconds(10).await;
    assert_eq!(world.state(), BreakerState::Open);
    seconds(60).await;
    world.turns(Health::Well);
    world.write(&Author::of("p-2"), 1).await.unwrap();
}

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ThreadLog;

impl io::Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The runtime of this test has one thread, which logs what its tasks do. The subscriber is one for
/// all threads: `tracing` forgets a log statement that another thread is the first to reach while a
/// subscriber is set for one thread only.
#[tokio::test(start_paused = true)]
async fn each_change_is_told_and_logged() {
    tracing_subscriber::fmt()
        .with_writer(|| ThreadLog)
        .with_ansi(false)
        .init();
    tracing::callsite::rebuild_interest_cache();
    let world = World::new().await;
    let mut changes = world.breaker().watch();
    let told = tokio::spawn(async move {
        let mut told = vec![*changes.borrow_and_update()];
        while told.len() < 4 {
            changes.changed().await.unwrap();
            told.push(*changes.borrow_and_update());
        }
        told
    });

    world.trip().await;
    seconds(30).await;
    world.turns(Health::Silent);
    tokio::join!(world.replay("p-1"), seconds(1)).0.unwrap_err();
    assert_eq!(
        told.await.unwrap(),
        [
            BreakerState::Closed,
            BreakerState::Open,
            BreakerState::HalfOpen,
            BreakerState::Open,
        ]
    );
    seconds(60).await;
    world.turns(Health::Well);
    world.replay("p-1").await.unwrap();

    let log = String::from_utf8(LOG.take()).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let expected = [
        [
            "WARN",
            "is open",
            "retry_in=30s",
            "the test planned this failure",
        ],
        ["INFO", "half-open", "", ""],
        [
            "WARN",
            "is open",
            "retry_in=60s",
            "did not answer within 10s",
        ],
        ["INFO", "half-open", "", ""],
        ["INFO", "is closed", "", ""],
    ];
    assert_eq!(lines.len(), expected.len(), "{log}");
    for (line, parts) in lines.iter().zip(expected) {
        for part in parts {
            assert!(line.contains(part), "{part:?} in {line}");
        }
    }
}
