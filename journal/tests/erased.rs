//! The answer to a batch is lost, and its rows are erased before anybody can look.

use std::iter::repeat_n;

use annals_persistence::{DeleteEvents, Outcome, WriteError};
use annals_postgres::{Cut, TestProxy};

use crate::cut::through;
use crate::ground::{Ground, Kind, in_each_kind};
use crate::hold::Hold;
use crate::store::{accepted, until};
use crate::writes::{id, number, send, write};

in_each_kind! { what_was_erased_since_is_unknown }

async fn what_was_erased_since_is_unknown(kind: Kind) {
    let ground = Ground::with_one_lane(kind).await;
    let (store, entity, neighbour) = (&ground.store, id("entity"), id("neighbour"));
    // So that there are partitions.
    for (entity, events) in [(&entity, 4), (&neighbour, 1), (&id("plug"), 1)] {
        let before = write(entity, 1, vec!["before"; events]);
        store.journal.write(before).await.unwrap();
    }
    ground.empty().await;
    let proxy = TestProxy::to(&store.settings).await;
    let journal = through(&proxy, store).await;

    let hold = Hold::on(store).await;
    let plug = send(&journal, write(&id("plug"), 1, ["plug"])).await;
    hold.holds(1).await;
    let neighbour = send(&journal, write(&neighbour, 1, ["a"])).await;
    let first = send(&journal, write(&entity, 1, ["a", "b"])).await;
    let second = send(&journal, write(&entity, 3, ["c"])).await;
    accepted(&journal).await;
    // Until further notice no answer comes through, to whatever is sent.
    proxy.plan(repeat_n(Cut::BeforeTheAnswer, 100_000));
    hold.release().await;
    plug.stored().await;
    let observer = store.connect().await;
    until(&observer, "select count(*) = 5 from journal").await;

    // It does not see that its author is still there.
    let another = write(&entity, 4, ["another"]);
    store.journal.write(another).await.unwrap();
    let delete = store.journal.delete(DeleteEvents {
        persistence_id: entity.clone(),
        to: number(3),
    });
    delete.await.unwrap();
    until(&observer, "select count(*) = 3 from journal").await;
    proxy.forget_plan();

    neighbour.stored().await;
    for (answer, first) in [(first, 1), (second, 3)] {
        let error = answer.result().await.unwrap_err();
        assert!(matches!(error, WriteError::Unknown { .. }), "{error:?}");
        assert_eq!(error.outcome(), Outcome::Unknown, "{first}");
    }
    // Who was never in doubt learns who was faster.
    let late = journal.write(write(&entity, 2, ["late"])).await;
    assert!(matches!(late, Err(WriteError::Conflict { .. })), "{late:?}");
    let left = [(4, "another".to_owned())];
    assert_eq!(store.texts(&entity).await, left);
}
