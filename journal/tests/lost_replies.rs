//! The connection is lost at every statement in the life of a batch.

use annals_journal::JournalSettings;
use annals_persistence::{JournalRef, Outcome, WriteError, WriteEvents};
use annals_postgres::{Cut, PrivateServer, TestProxy};

use crate::cut::through;
use crate::guilt::{Guilt, TRIGGER, forbid_rows, plain};
use crate::hold::Hold;
use crate::store::{Store, accepted};
use crate::writes::{Answer, earlier_failed, events_at, id, send, write};

const CUTS: [Cut; 3] = [
    Cut::BeforeTheServer,
    Cut::BehindTheServer,
    Cut::BeforeTheAnswer,
];

/// More than any batch here needs.
const POSITIONS: usize = 100;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trigger {
    None,
    Old,
    /// The lanes learn of it by the answer to the insert, which is not lost.
    JustMade,
}

struct World {
    server: PrivateServer,
    store: Store,
    proxy: TestProxy,
    journal: JournalRef,
}

impl World {
    async fn new() -> Self {
        let server = PrivateServer::builder().durable(false).start();
        let server = server.await.unwrap();
        let store = Store::on(&server, JournalSettings::default()).await;
        let proxy = TestProxy::to(&server.settings()).await;
        let journal = through(&proxy, &store).await;
        Self {
            server,
            store,
            proxy,
            journal,
        }
    }

    /// Cuts at each thing that is sent while a batch is stored that holds these kinds of guilt.
    async fn cut_everywhere(&mut self, kinds: &[Guilt], trigger: Trigger) {
        for cut in CUTS {
            let positions = self.positions(cut, kinds, trigger).await;
            assert!((1..POSITIONS).contains(&positions), "{cut:?}: {positions}");
        }
        self.journal.drain().await;
        self.store.journal.drain().await;
        self.server.stop_immediately().await.unwrap();
    }

    /// How many there were.
    async fn positions(&mut self, cut: Cut, kinds: &[Guilt], trigger: Trigger) -> usize {
        let first = usize::from(trigger == Trigger::JustMade);
        for position in first..POSITIONS {
            if trigger == Trigger::JustMade {
                self.store
                    .run("alter table journal disable trigger rules")
                    .await;
                self.journal = through(&self.proxy, &self.store).await;
                self.store
                    .run("alter table journal enable trigger rules")
                    .await;
            }
            self.batch(&format!("{cut:?} {position}"), position, cut, kinds)
                .await;
            let is_beyond = self.proxy.cuts_left() > 0;
            self.proxy.forget_plan();
            if is_beyond {
                return position;
            }
        }
        POSITIONS
    }

    async fn batch(&self, what: &str, position: usize, cut: Cut, kinds: &[Guilt]) {
        let mut writes = Vec::new();
        for (place, guilt) in kinds.iter().enumerate() {
            writes.push(self.guilty(&format!("{what} {place} guilty"), *guilt).await);
        }
        let hold = Hold::on(&self.store).await;
        let plug = id(format!("{what} plug"));
        let plug = send(&self.journal, write(&plug, 1, ["plug"])).await;
        hold.holds(1).await;
        let (mut sound, mut guilty) = (Vec::new(), Vec::new());
        for (place, (guilt, (bad, behind))) in kinds.iter().zip(writes).enumerate() {
            for neighbour in 0..2 {
                let neighbour = id(format!("{what} {place} neighbour {neighbour}"));
                for first in [1, 3] {
                    let write = write(&neighbour, first, ["a", "b"]);
                    sound.push(send(&self.journal, write).await);
                }
            }
            let bad = send(&self.journal, bad).await;
            guilty.push((*guilt, bad, send(&self.journal, behind).await));
        }
        accepted(&self.journal).await;
        // The plug is with the server already.
        self.proxy.let_pass(position);
        self.proxy.plan([cut]);
        hold.release().await;

        plug.stored().await;
        for (place, answer) in sound.into_iter().enumerate() {
            let result = answer.result().await;
            result.unwrap_or_else(|error| panic!("{what}, sound {place}: {error:?}"));
        }
        for (guilt, bad, behind) in guilty {
            expect_told(what, guilt, bad, behind).await;
        }
        self.expect_stored(what, kinds).await;
    }

    /// Two events of which the second is bad, and a write behind them.
    async fn guilty(&self, name: &str, guilt: Guilt) -> (WriteEvents, WriteEvents) {
        let guilty = id(name);
        let mut bad = events_at(&guilty, 1, vec![plain(1), plain(2)]);
        guilt.spoil(&mut bad.events[1]);
        if guilt == Guilt::Taken {
            self.store
                .run(&format!(
                    "insert into journal (persistence_id, sequence_number, message, tags, metadata) \
                     values ('{name}', 1, 'before', '{{}}', '{{}}')"
                ))
                .await;
        }
        (bad, write(&guilty, 3, ["behind"]))
    }

    async fn expect_stored(&self, what: &str, kinds: &[Guilt]) {
        let connection = self.store.connect().await;
        let rows = connection
            .query(
                "select sequence_number from journal where starts_with(persistence_id, $1) \
                 and persistence_id like '%neighbour%' order by persistence_id, ordering",
                &[&format!("{what} ")],
            )
            .await
            .unwrap();
        let numbers: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        let expected = std::iter::repeat_n([1, 2, 3, 4], 2 * kinds.len());
        assert!(numbers.into_iter().eq(expected.flatten()), "{what}");
        let taken = kinds.iter().filter(|kind| **kind == Guilt::Taken).count();
        let others = connection
            .query(
                "select from journal where starts_with(persistence_id, $1) \
                 and persistence_id like '%guilty%'",
                &[&format!("{what} ")],
            )
            .await
            .unwrap();
        assert_eq!(others.len(), taken, "{what}");
    }
}

/// What has a code of its own might have been stored by a try whose answer was lost, for all that is
/// known; nobody else is in doubt.
async fn expect_told(what: &str, guilt: Guilt, bad: Answer, behind: Answer) {
    let told = bad.result().await;
    match &told {
        Err(error @ WriteError::Unknown { .. }) if guilt == Guilt::RaisedWithACode => {
            assert_eq!(error.outcome(), Outcome::Unknown);
        }
        _ => guilt.expect(told),
    }
    assert_eq!(earlier_failed(behind.result().await), 3, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_the_truth_wherever_the_connection_is_lost() {
    let mut world = World::new().await;
    forbid_rows(&world.store).await;
    let kinds = [Guilt::Check, Guilt::Taken, Guilt::Unique];
    world.cut_everywhere(&kinds, Trigger::None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_where_a_trigger_objects_or_skips() {
    let mut world = World::new().await;
    world.store.run(TRIGGER).await;
    world.journal = through(&world.proxy, &world.store).await;
    world
        .cut_everywhere(&Guilt::BY_TRIGGERS, Trigger::Old)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_where_what_is_left_of_a_write_is_taken_back() {
    let mut world = World::new().await;
    world.store.run(TRIGGER).await;
    let kinds = [Guilt::Skipped, Guilt::Skipped];
    world.cut_everywhere(&kinds, Trigger::JustMade).await;
}
