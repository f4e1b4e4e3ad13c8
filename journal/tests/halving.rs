//! How many statements it takes to find the guilty writes of a batch.

use annals_postgres::{Connection, PrivateServer, connect, migrate};

use crate::guilt::{Guilt, TRIGGER, forbid_rows, plain};
use crate::hold::Hold;
use crate::store::{ONE_LANE, Store, accepted, one, until};
use crate::writes::{events_at, id, send, write};

const WRITES: usize = 400;

/// A server that counts transactions, and does nothing of its own.
struct Counted {
    server: PrivateServer,
    observer: Connection,
    runs: u32,
}

impl Counted {
    async fn start() -> Self {
        let server = PrivateServer::builder()
            .durable(false)
            .settings([("autovacuum", "off")]);
        let server = server.start().await.unwrap();
        migrate(&server.create_database("template").await.unwrap())
            .await
            .unwrap();
        let elsewhere = server.settings().with_database("postgres");
        Self {
            observer: connect(&elsewhere).await.unwrap(),
            server,
            runs: 0,
        }
    }

    /// How many transactions there are in the life of a journal that stores one batch in which the
    /// writes at these places are guilty.
    async fn transactions(&mut self, guilt: Guilt, guilty: &[usize]) -> i64 {
        self.runs += 1;
        let name = format!("run{}", self.runs);
        let settings = self.server.create_database_from(&name, "template");
        let settings = settings.await.unwrap();
        let store = Store::at(&settings, ONE_LANE).await;
        if Guilt::BY_TRIGGERS.contains(&guilt) {
            store.run(TRIGGER).await;
        } else {
            forbid_rows(&store).await;
        }
        batch(&store, guilt, guilty).await;
        store.journal.drain().await;
        drop(store);
        let gone = format!("select count(*) = 0 from pg_stat_activity where datname = '{name}'");
        until(&self.observer, &gone).await;
        let counted = format!(
            "select xact_commit + xact_rollback from pg_stat_database where datname = '{name}'"
        );
        one(&self.observer, &counted).await
    }
}

async fn batch(store: &Store, guilt: Guilt, guilty: &[usize]) {
    let journal = &store.journal;
    let mut writes: Vec<_> = (0..WRITES)
        .map(|place| events_at(&id(format!("{place}")), 1, vec![plain(place)]))
        .collect();
    for place in guilty {
        guilt.spoil(&mut writes[*place].events[0]);
        guilt.prepare(store, &writes[*place]).await;
    }
    let hold = Hold::on(store).await;
    let plug = send(journal, write(&id("plug"), 1, ["plug"])).await;
    hold.holds(1).await;
    let mut answers = Vec::new();
    for write in writes {
        answers.push(send(journal, write).await);
    }
    accepted(journal).await;
    hold.release().await;
    plug.stored().await;
    for (place, answer) in answers.into_iter().enumerate() {
        let result = answer.result().await;
        if guilty.contains(&place) {
            guilt.expect(result);
        } else {
            result.unwrap_or_else(|error| panic!("{guilt:?} {place}: {error:?}"));
        }
    }
}

/// 2 log2(400) is 17.3.
#[tokio::test(flavor = "multi_thread")]
async fn one_guilty_write_of_400_is_found_by_some_twenty_statements() {
    let mut counted = Counted::start().await;
    let kinds = Guilt::WITHOUT_TRIGGERS
        .into_iter()
        .chain(Guilt::BY_TRIGGERS);
    for guilt in kinds {
        let without = counted.transactions(guilt, &[]).await;
        for place in [0, WRITES - 1] {
            let more = counted.transactions(guilt, &[place]).await - without;
            // One for the whole, two for each halving, and a look at what is there before and behind.
            assert!((1..=21).contains(&more), "{guilt:?} at {place}: {more}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_guilty_writes_cost_no_more_than_each_alone() {
    let mut counted = Counted::start().await;
    for guilt in [Guilt::Check, Guilt::Unique] {
        let without = counted.transactions(guilt, &[]).await;
        let few: Vec<usize> = (0..WRITES).step_by(50).collect();
        let more = counted.transactions(guilt, &few).await - without;
        assert!(more <= 8 * 20, "{guilt:?}: {more}");
        let all: Vec<usize> = (0..WRITES).collect();
        let more = counted.transactions(guilt, &all).await - without;
        assert!(more <= 4 * WRITES as i64, "{guilt:?}: {more}");
    }
}
