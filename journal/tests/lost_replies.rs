//! The connection is lost at every statement in the life of a batch.

use annals_persistence::{JournalRef, Outcome, WriteError, WriteEvents};
use annals_postgres::{Cut, TestProxy};

use crate::cut::through;
use crate::ground::{Ground, Kind, Rows};
use crate::guilt::{Guilt, NO_TRIGGER, TRIGGER, TRIGGER_AGAIN, plain};
use crate::hold::Hold;
use crate::store::accepted;
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
    /// The lanes learn of it by the answer to the insert, or if that is lost by what they find.
    JustMade,
}

struct World {
    ground: Ground,
    proxy: TestProxy,
    journal: JournalRef,
    kinds: Vec<Guilt>,
    trigger: Trigger,
}

impl World {
    /// With these kinds of guilt in each batch.
    async fn new(kind: Kind, kinds: &[Guilt], trigger: Trigger) -> Self {
        let ground = Ground::with_one_lane(kind).await;
        match trigger {
            Trigger::None => ground.forbid_rows().await,
            Trigger::Old | Trigger::JustMade => ground.run(TRIGGER).await,
        }
        let proxy = TestProxy::to(&ground.store.settings).await;
        let journal = through(&proxy, &ground.store).await;
        Self {
            ground,
            proxy,
            journal,
            kinds: kinds.to_vec(),
            trigger,
        }
    }

    /// Cuts at each thing that is sent while a batch is stored.
    async fn cut_everywhere(&mut self) {
        for cut in CUTS {
            let positions = self.positions(cut).await;
            assert!((1..POSITIONS).contains(&positions), "{cut:?}: {positions}");
        }
        self.journal.drain().await;
        self.ground.store.journal.drain().await;
    }

    /// How many there were.
    async fn positions(&mut self, cut: Cut) -> usize {
        for position in 0..POSITIONS {
            if self.trigger == Trigger::JustMade {
                self.ground.run(NO_TRIGGER).await;
                self.journal = through(&self.proxy, &self.ground.store).await;
                self.ground.run(TRIGGER_AGAIN).await;
            }
            self.batch(&format!("{cut:?} {position}"), position, cut)
                .await;
            let is_beyond = self.proxy.cuts_left() > 0;
            self.proxy.forget_plan();
            if is_beyond {
                return position;
            }
        }
        POSITIONS
    }

    async fn batch(&self, what: &str, position: usize, cut: Cut) {
        // A statement that was cut off must not come about in the next batch.
        self.proxy.settled().await;
        self.ground.empty().await;
        let (mut writes, mut expected) = (Vec::new(), Rows::new());
        for (place, guilt) in self.kinds.iter().enumerate() {
            let (bad, behind) = guilty(place, *guilt);
            guilt.prepare(&self.ground.store, &bad).await;
            if *guilt == Guilt::Taken {
                expected.push((format!("{place} guilty"), 1, "before".to_owned()));
            }
            writes.push((bad, behind));
        }
        let hold = Hold::on(&self.ground.store).await;
        let plug = send(&self.journal, write(&id("plug"), 1, ["plug"])).await;
        expected.push(("plug".to_owned(), 1, "plug".to_owned()));
        hold.holds(1).await;
        let (mut sound, mut guilty) = (Vec::new(), Vec::new());
        for (place, (guilt, (bad, behind))) in self.kinds.iter().zip(writes).enumerate() {
            let neighbour = format!("{place} neighbour");
            for first in [1, 3] {
                let write = write(&id(&neighbour), first, ["a", "b"]);
                sound.push(send(&self.journal, write).await);
                let texts = [(first, "a"), (first + 1, "b")];
                let rows = texts.map(|(number, text)| (neighbour.clone(), number, text.into()));
                expected.extend(rows);
            }
            let bad = send(&self.journal, bad).await;
            let number = behind.first.get();
            guilty.push((*guilt, bad, number, send(&self.journal, behind).await));
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
        for (guilt, bad, number, behind) in guilty {
            expect_told(what, guilt, bad).await;
            assert_eq!(earlier_failed(behind.result().await), number, "{what}");
        }
        expected.sort();
        assert_eq!(self.ground.rows().await, expected, "{what}");
    }
}

/// Two events of which the second or the first is bad, or one, and a write behind them.
fn guilty(place: usize, guilt: Guilt) -> (WriteEvents, WriteEvents) {
    let guilty = id(format!("{place} guilty"));
    let (events, spoilt) = [(2, 1), (2, 0), (1, 0)][place];
    let mut bad = events_at(&guilty, 1, (0..events).map(plain).collect());
    guilt.spoil(&mut bad.events[spoilt]);
    let behind = write(&guilty, bad.last().unwrap().next().get(), ["behind"]);
    (bad, behind)
}

/// What has a code of its own might have been stored by a try whose answer was lost, for all that is
/// known; nobody else is in doubt.
async fn expect_told(what: &str, guilt: Guilt, bad: Answer) {
    let told = bad.result().await;
    match &told {
        Err(error @ WriteError::Unknown { .. }) if guilt == Guilt::RaisedWithACode => {
            assert_eq!(error.outcome(), Outcome::Unknown);
        }
        Err(_) => guilt.expect(told),
        Ok(()) => panic!("{what}: {guilt:?} is told that it is stored"),
    }
}

/// Each batch finds its partitions, but for the first.
mod everybody_is_told_the_truth_wherever_the_connection_is_lost {
    use super::*;

    const BOTH: [Guilt; 2] = [Guilt::Taken, Guilt::Skipped];

    #[tokio::test(flavor = "multi_thread")]
    async fn flat() {
        let kinds = [Guilt::Check, Guilt::Taken, Guilt::Unique];
        let mut world = World::new(Kind::Flat, &kinds, Trigger::None).await;
        world.cut_everywhere().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn flat_where_a_trigger_objects_or_skips() {
        let mut world = World::new(Kind::Flat, &Guilt::BY_TRIGGERS, Trigger::Old).await;
        world.cut_everywhere().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn flat_where_what_is_left_of_a_write_is_taken_back() {
        let kinds = [Guilt::Skipped; 3];
        let mut world = World::new(Kind::Flat, &kinds, Trigger::JustMade).await;
        world.cut_everywhere().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn flat_with_metadata() {
        let mut world = World::new(Kind::FlatWithMetadata, &BOTH, Trigger::Old).await;
        world.cut_everywhere().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn ordering() {
        let mut world = World::new(Kind::Ordering, &BOTH, Trigger::Old).await;
        world.cut_everywhere().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nested() {
        // Places are looked up one by one: two guilty writes take many statements.
        for guilt in BOTH {
            let mut world = World::new(Kind::Nested, &[guilt], Trigger::Old).await;
            world.cut_everywhere().await;
        }
    }
}
