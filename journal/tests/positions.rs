//! A bad row in every position of a batch.

use annals_persistence::{NewEvent, WriteError, WriteEvents};
use annals_postgres::{PrivateServer, connect};

use crate::ground::{Ground, Kind, Rows, in_each_kind};
use crate::guilt::{Guilt, NO_TRIGGER, TRIGGER, TRIGGER_AGAIN, plain};
use crate::hold::Hold;
use crate::store::{ONE_LANE, Store, accepted};
use crate::writes::{earlier_failed, events_at, id, rejection, send, write};

/// Whose the writes of a batch are, in their order, and how many events each has.
const WRITES: [(usize, usize); 12] = [
    (0, 1),
    (1, 2),
    (0, 3),
    (2, 1),
    (3, 2),
    (1, 1),
    (4, 3),
    (0, 1),
    (2, 2),
    (4, 1),
    (3, 1),
    (1, 3),
];

in_each_kind! {
    a_bad_row_in_any_position_fails_alone
    a_row_that_a_trigger_forbids_or_skips_in_any_position_fails_alone
}

async fn a_bad_row_in_any_position_fails_alone(kind: Kind) {
    let ground = Ground::with_one_lane(kind).await;
    ground.forbid_rows().await;
    every_position(&ground, &Guilt::WITHOUT_TRIGGERS).await;
}

async fn a_row_that_a_trigger_forbids_or_skips_in_any_position_fails_alone(kind: Kind) {
    let mut ground = Ground::with_one_lane(kind).await;
    ground.run(TRIGGER).await;
    // The lanes of the store were open before.
    ground.store.journal = ground.store.another(ONE_LANE).await;
    every_position(&ground, &Guilt::BY_TRIGGERS).await;
}

/// The lanes were open before the trigger was made, and learn of it by the first row that is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_skips_rows_is_noticed_whenever_it_comes() {
    let mut ground = Ground::with_one_lane(Kind::Flat).await;
    ground.run(TRIGGER).await;
    for (position, (_, events)) in WRITES.into_iter().enumerate() {
        for event in 0..events {
            ground.run(NO_TRIGGER).await;
            ground.store.journal = ground.store.another(ONE_LANE).await;
            ground.run(TRIGGER_AGAIN).await;
            for _ in 0..2 {
                Batch::new(Guilt::Skipped, position, event)
                    .check(&ground)
                    .await;
            }
        }
    }
}

/// The texts of a batch are sent in one array each: one that the database cannot hold must not take the
/// others with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_the_encoding_of_the_database_lacks_fails_alone() {
    let server = PrivateServer::builder().durable(false).start();
    let server = server.await.unwrap();
    let administrator = connect(&server.settings()).await.unwrap();
    administrator
        .batch_execute("create database latin encoding latin1 locale 'C' template template0")
        .await
        .unwrap();
    let store = Store::at(&server.settings().with_database("latin"), ONE_LANE).await;
    let hold = Hold::on(&store).await;
    let plug = send(&store.journal, write(&id("plug"), 1, ["plug"])).await;
    hold.holds(1).await;
    let mut answers = Vec::new();
    for name in ["a", "ß", "日本", "b", "Ünïcödé", "😀", "c"] {
        let answer = send(&store.journal, write(&id(name), 1, ["x", "y"])).await;
        answers.push((name, answer));
    }
    accepted(&store.journal).await;
    hold.release().await;
    plug.stored().await;
    for (name, answer) in answers {
        if ["日本", "😀"].contains(&name) {
            let said = rejection(answer.result().await);
            assert!(said.contains("has no equivalent in encoding"), "{said}");
        } else {
            answer.stored().await;
            assert_eq!(store.texts(&id(name)).await.len(), 2, "{name}");
        }
    }
    store.journal.drain().await;
}

async fn every_position(ground: &Ground, kinds: &[Guilt]) {
    for guilt in kinds {
        for (position, (_, events)) in WRITES.into_iter().enumerate() {
            for event in 0..events {
                let batch = Batch::new(*guilt, position, event);
                batch.check(ground).await;
            }
        }
    }
}

struct Batch {
    guilt: Guilt,
    writes: Vec<WriteEvents>,
    /// The first write that cannot be stored.
    guilty: usize,
}

impl Batch {
    /// All events are sound, but for this one.
    fn new(guilt: Guilt, position: usize, event: usize) -> Self {
        let mut writes: Vec<WriteEvents> = Vec::new();
        for (place, (whose, count)) in WRITES.into_iter().enumerate() {
            let whose = id(whose.to_string());
            let before = writes.iter().rfind(|write| write.persistence_id == whose);
            let first = before.map_or(1, |write| write.last().unwrap().next().get());
            let events: Vec<NewEvent> = (0..count).map(|it| plain(10 * place + it)).collect();
            writes.push(events_at(&whose, first, events));
        }
        guilt.spoil(&mut writes[position].events[event]);
        let whose = &writes[position].persistence_id;
        let guilty = match guilt {
            Guilt::Taken => writes.iter().position(|it| it.persistence_id == *whose),
            _ => Some(position),
        };
        Self {
            guilt,
            guilty: guilty.unwrap(),
            writes,
        }
    }

    /// Sends them as one batch; expects that the guilty one is told so, that those of its persistence
    /// id behind it are given up, and that all others are stored.
    async fn check(self, ground: &Ground) {
        let what = format!("{:?} in {}, {:?}", self.guilt, self.guilty, ground.kind);
        let (store, journal) = (&ground.store, &ground.store.journal);
        ground.empty().await;
        self.guilt.prepare(store, &self.writes[self.guilty]).await;
        let hold = Hold::on(store).await;
        let plug = write(&id("plug"), 1, ["plug"]);
        let mut expected = rows_of(&plug);
        let plug = send(journal, plug).await;
        hold.holds(1).await;
        let mut answers = Vec::new();
        let whose = self.writes[self.guilty].persistence_id.clone();
        for (place, write) in self.writes.into_iter().enumerate() {
            let fails = write.persistence_id == whose && place >= self.guilty;
            if !fails {
                expected.extend(rows_of(&write));
            }
            answers.push((fails, write.first.get(), send(journal, write).await));
        }
        accepted(journal).await;
        hold.release().await;

        plug.stored().await;
        for (place, (fails, first, answer)) in answers.into_iter().enumerate() {
            let result: Result<(), WriteError> = answer.result().await;
            match fails {
                false => result.unwrap_or_else(|error| panic!("{what}, {place}: {error:?}")),
                true if place == self.guilty => self.guilt.expect(result),
                true => assert_eq!(earlier_failed(result), first, "{what}, {place}"),
            }
        }
        if self.guilt == Guilt::Taken {
            expected.push((whose.as_str().to_owned(), 1, "before".to_owned()));
        }
        expected.sort();
        assert_eq!(ground.rows().await, expected, "{what}");
    }
}

fn rows_of(write: &WriteEvents) -> Rows {
    let texts = write
        .events
        .iter()
        .map(|event| String::from_utf8(event.payload.bytes.to_vec()).unwrap());
    (write.first.get()..)
        .zip(texts)
        .map(|(number, text)| (write.persistence_id.as_str().to_owned(), number, text))
        .collect()
}
