use std::time::Duration;

use annals::projection::{RangeState, Running, Status};
use annals::tokio_postgres::Transaction;
use annals::{
    Annals, EventEnvelope, Handled, OnFailure, Options, Projection, Tag, TransactionHandler,
};
use annals_postgres::TestDatabase;

use crate::accounts::three;
use crate::prompt::at;

/// Does not like withdrawals.
struct OnlyIn;

impl TransactionHandler for OnlyIn {
    async fn handle(&self, event: &EventEnvelope, _: &Transaction<'_>) -> Handled {
        match event.payload.manifest.as_ref() {
            "Withdrawn" => Err("no withdrawals here".into()),
            _ => Ok(()),
        }
    }
}

async fn started(annals: &Annals, on_failure: OnFailure) -> Running {
    let tags = Tag::new("in").unwrap();
    let which =
        annals::TagExpression::from(tags) | annals::TagExpression::from(Tag::new("out").unwrap());
    let projection = Projection::exactly_once("sums", which, OnlyIn).on_failure(on_failure);
    annals.projections().start(projection).await.unwrap()
}

async fn until(annals: &Annals, is: impl Fn(&Status) -> bool) {
    let control = annals.projections().control("sums", 1);
    let waiting = async {
        while !is(&control.status().await.unwrap()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let minute = Duration::from_secs(60);
    tokio::time::timeout(minute, waiting)
        .await
        .expect("not within a minute");
}

fn stopped_at(status: &Status, offset: i64) -> bool {
    let range = &status.ranges[0];
    let error = range.last_error.as_ref().and_then(|it| it.offset);
    range.state == RangeState::Stopped && error.is_some_and(|it| it.get() == offset)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_is_watched_and_told_what_to_do() {
    let database = TestDatabase::create().await.unwrap();
    three(&database).await;
    assert_eq!(
        at(&database, &["projections", "list"])
            .ended(0)
            .stdout
            .trim(),
        "[]"
    );
    at(&database, &["projections", "status", "sums"]).ended(5);
    at(&database, &["projections", "pause", "sums/1"]).ended(5);
    let annals = Options::new(database.settings()).open().await.unwrap();
    let running = started(&annals, OnFailure::stop()).await;
    until(&annals, |it| stopped_at(it, 2)).await;

    let status = at(&database, &["projections", "status", "sums"])
        .ended(1)
        .json();
    assert_eq!(status["ranges"][0]["state"], "stopped");
    assert_eq!(status["ranges"][0]["last_error"]["offset"], 2);
    let table = at(&database, &["projections", "status", "sums/1", "--table"])
        .ended(1)
        .stdout;
    assert!(table.contains("no withdrawals here"), "{table}");

    let elsewhere = at(&database, &["projections", "skip", "sums", "7"]).ended(3);
    assert!(
        elsewhere.stderr.contains("is not failing at"),
        "{elsewhere:?}"
    );
    at(&database, &["projections", "skip", "sums", "2"]).ended(0);
    until(&annals, |it| stopped_at(it, 8)).await;
    let letters = at(&database, &["projections", "dead-letters", "sums"])
        .ended(0)
        .json();
    assert_eq!(letters[0]["offset"], 2);
    assert_eq!(letters[0]["persistence_id"], "Account|a");
    running.stop().await.unwrap();

    at(&database, &["projections", "redrive", "sums", "--all"]).ended(0);
    let letters = at(&database, &["projections", "dead-letters", "sums"])
        .ended(0)
        .json();
    assert_eq!(letters[0]["redrive"], true);
    at(&database, &["projections", "pause", "sums"]).ended(0);
    let list = at(&database, &["projections", "list"]).ended(0).json();
    assert_eq!(list[0]["paused"], true);
    at(&database, &["projections", "resume", "sums"]).ended(0);
    at(&database, &["projections", "reset", "sums", "--to", "4"]).ended(0);
    let list = at(&database, &["projections", "list"]).ended(0).json();
    assert_eq!(list[0]["paused"], false);
    assert_eq!(list[0]["ranges"][0]["offset"], 4);
    let time = [
        "projections",
        "reset",
        "sums",
        "--to-time",
        "2001-01-01T00:00:00Z",
    ];
    assert_eq!(at(&database, &time).ended(0).json()["offset"], 0);
    at(&database, &["projections", "reset", "sums"]).ended(64);
    annals.shutdown().await;
}
