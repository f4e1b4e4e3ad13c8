//! Replays that wait share queries.

use std::pin::pin;
use std::time::Duration;

use annals_journal::{Journal, JournalSettings};
use annals_persistence::{
    DeleteEvents, JournalRef, Replay, ReplayError, ReplayEvents, SequenceNumber,
};
use annals_postgres::{Pool, PrivateServer};
use futures::future::{BoxFuture, FutureExt, join_all};

use crate::hold::Hold;
use crate::store::{ONE_LANE, Store};
use crate::writes::{Answer, id, number, send, write};

/// As many as the journal has, on a pool that has as many connections.
const READERS: u32 = 4;

/// A replay that was asked for.
pub(crate) type Asked = BoxFuture<'static, Result<Replay, ReplayError>>;

/// Asks and does not wait: what is asked for later arrives later.
pub(crate) async fn ask(journal: &JournalRef, wanted: ReplayEvents) -> Asked {
    let journal = journal.clone();
    let mut asked: Asked = Box::pin(async move { journal.replay(wanted).await });
    assert!(futures::poll!(&mut asked).is_pending());
    asked
}

pub(crate) fn all(persistence_id: impl Into<String>) -> ReplayEvents {
    ReplayEvents::from(id(persistence_id), SequenceNumber::FIRST)
}

/// Every reader waits with a replay of its own: what is asked for from now on gathers.
pub(crate) struct Gathering<'a> {
    hold: Hold<'a>,
    busy: Vec<Asked>,
    mark: Option<Answer>,
}

impl<'a> Gathering<'a> {
    pub(crate) async fn begin(store: &'a Store) -> Self {
        let hold = Hold::on_readers(store).await;
        let mut busy = Vec::new();
        for reader in 1..=READERS {
            busy.push(ask(&store.journal, all(format!("busy-{reader}"))).await);
            hold.holds(reader).await;
        }
        Self {
            hold,
            busy,
            mark: None,
        }
    }

    /// Returns once all that was asked for has gathered: a write that was sent behind it waits.
    async fn gathered(&mut self, store: &Store) {
        self.mark = Some(send(&store.journal, write(&id("mark"), 1, ["x"])).await);
        self.hold.holds(READERS + 1).await;
    }

    /// Lets all go on.
    pub(crate) async fn end(mut self, store: &Store) {
        if self.mark.is_none() {
            self.gathered(store).await;
        }
        self.hold.release().await;
        for busy in self.busy {
            assert_eq!(busy.await.unwrap().highest, SequenceNumber::ZERO);
        }
        if let Some(mark) = self.mark {
            mark.stored().await;
        }
    }
}

/// Events of the histories `entity-1`, `entity-2`, ...; of each as many as its number says.
async fn fill(store: &Store, histories: i64) {
    let fill = format!(
        "insert into journal (persistence_id, sequence_number, message, tags, metadata) \
         select 'entity-' || e, n, convert_to(e || '/' || n, 'UTF8'), '{{}}', \
           '{{\"sid\": 20, \"wid\": \"w\", \"t\": 1}}' \
         from generate_series(1, {histories}) as e, generate_series(1, e) as n"
    );
    store.run(&fill).await;
}

async fn texts(replay: Replay) -> Vec<String> {
    let events = replay.collect().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    events.iter().map(|it| text(&it.payload.bytes)).collect()
}

const STATEMENTS: &str =
    "select xact_commit from pg_stat_database where datname = current_database()";

#[tokio::test(flavor = "multi_thread")]
async fn replays_that_wait_become_few_statements_and_each_gets_what_it_wants() {
    const HISTORIES: i64 = 150;
    let store = Store::open().await;
    fill(&store, HISTORIES).await;
    for entity in (10..=HISTORIES).step_by(10) {
        store
            .run(&format!(
                "update journal set deleted = true \
                 where persistence_id = 'entity-{entity}' and sequence_number <= 5"
            ))
            .await;
    }
    let gathering = Gathering::begin(&store).await;
    let mut replays = Vec::new();
    for round in 0..2 {
        for entity in 0..=HISTORIES {
            let mut wanted = all(format!("entity-{entity}"));
            if round == 1 {
                wanted.from = number(entity / 3 + 1);
                wanted.to = number(entity / 2);
                wanted.limit = entity.unsigned_abs() % 40;
            }
            replays.push((entity, wanted.clone(), ask(&store.journal, wanted).await));
        }
    }
    let before: i64 = store.one(STATEMENTS).await;
    gathering.end(&store).await;
    for (entity, wanted, replay) in replays {
        let replay = replay.await.unwrap();
        assert_eq!(replay.highest, number(entity));
        let deleted_to = if entity > 0 && entity % 10 == 0 { 5 } else { 0 };
        assert_eq!(replay.deleted_to, number(deleted_to), "{wanted:?}");
        let first = wanted.from.get().max(deleted_to + 1);
        let expected: Vec<String> = (first..=wanted.to.get().min(entity))
            .take(usize::try_from(wanted.limit).unwrap_or(usize::MAX))
            .map(|number| format!("{entity}/{number}"))
            .collect();
        assert_eq!(texts(replay).await, expected, "{wanted:?}");
    }
    let after: i64 = store.statistics(STATEMENTS).await;
    // Two for each of five batches, and one more page for each of 50 long histories; each connection
    // prepares three. The rest is what the test itself asks. Alone it would be 600 and more.
    assert!(after - before < 150, "{} statements", after - before);
}

/// A shared query must tell of each history what a query of its own tells: where its newest events are marked,
/// all of them, so many of the first that the page is full of them, or some are missing.
#[tokio::test(flavor = "multi_thread")]
async fn whole_histories_that_share_a_query_are_what_each_is_alone() {
    const HISTORIES: i64 = 260;
    let store = Store::open().await;
    fill(&store, HISTORIES).await;
    let histories = |rest: i64, change: &str, which: &str| {
        format!(
            "{change} where substr(persistence_id, 8)::int8 % 8 = {rest} and {which} \
             and persistence_id like 'entity-%'"
        )
    };
    let (mark, delete) = ("update journal set deleted = true", "delete from journal");
    let highest = "substr(persistence_id, 8)::int8";
    for change in [
        histories(1, mark, &format!("sequence_number > {highest} - 2")),
        histories(2, mark, "true"),
        histories(3, mark, &format!("sequence_number < {highest} - 10")),
        histories(4, delete, "sequence_number between 4 and 6"),
        histories(5, mark, "sequence_number = 7"),
        histories(6, delete, "sequence_number < 9"),
    ] {
        store.run(&change).await;
    }
    for entity in (7..=HISTORIES).step_by(8) {
        let delete = store.journal.delete(DeleteEvents {
            persistence_id: id(format!("entity-{entity}")),
            to: number(entity - entity % 3),
        });
        delete.await.unwrap();
    }
    let mut alone = Vec::new();
    for entity in 0..=HISTORIES {
        let replay = store.journal.replay(all(format!("entity-{entity}")));
        let replay = replay.await.unwrap();
        let ends = (replay.highest, replay.deleted_to);
        alone.push((ends, texts(replay).await));
    }
    let gathering = Gathering::begin(&store).await;
    let mut replays = Vec::new();
    for entity in 0..=HISTORIES {
        replays.push(ask(&store.journal, all(format!("entity-{entity}"))).await);
    }
    gathering.end(&store).await;
    for (entity, (replay, alone)) in replays.into_iter().zip(alone).enumerate() {
        let replay = replay.await.unwrap();
        let ends = (replay.highest, replay.deleted_to);
        assert_eq!((ends, texts(replay).await), alone, "entity-{entity}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_row_fails_its_own_history_and_no_neighbour() {
    let store = Store::open().await;
    fill(&store, 60).await;
    store
        .run(
            "update journal set metadata = '{}' \
             where persistence_id = 'entity-30' and sequence_number = 7",
        )
        .await;
    let gathering = Gathering::begin(&store).await;
    let mut replays = Vec::new();
    for entity in 1..=60 {
        replays.push(ask(&store.journal, all(format!("entity-{entity}"))).await);
    }
    gathering.end(&store).await;
    for (entity, replay) in (1..).zip(join_all(replays).await) {
        match replay {
            Ok(replay) => {
                assert_ne!(entity, 30);
                assert_eq!(texts(replay).await.len(), entity);
            }
            Err(ReplayError::MalformedRow {
                persistence_id,
                sequence_number,
                ..
            }) => {
                assert_eq!((entity, persistence_id), (30, id("entity-30")));
                assert_eq!(sequence_number, 7);
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Stands for a damaged page or value: the server fails every query that comes upon it.
const DAMAGE: &str = "
create function is_intact(id text) returns boolean language plpgsql as $$
begin
    if id = 'entity-30' then
        raise exception 'a damaged page holds %', id;
    end if;
    return true;
end
$$;
alter table journal rename to stored;
create view journal as select * from stored where is_intact(persistence_id)";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_cannot_read_of_one_history_fails_no_other() {
    let store = Store::open().await;
    fill(&store, 60).await;
    store.run(DAMAGE).await;
    let gathering = Gathering::begin(&store).await;
    let mut replays = Vec::new();
    for entity in 1..=60 {
        replays.push(ask(&store.journal, all(format!("entity-{entity}"))).await);
    }
    gathering.end(&store).await;
    for (entity, replay) in (1..).zip(join_all(replays).await) {
        match replay {
            Ok(replay) => {
                assert_ne!(entity, 30);
                assert_eq!(texts(replay).await.len(), entity);
            }
            Err(ReplayError::Unavailable { persistence_id, .. }) => {
                assert_eq!((entity, persistence_id), (30, id("entity-30")));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// One replay alone on its connection fails with it, as ever; many on one connection are no worse off
/// than each on its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_lost_fails_one_replay_at_most() {
    let store = Store::open().await;
    fill(&store, 200).await;
    let mut gathering = Gathering::begin(&store).await;
    let mut replays = Vec::new();
    for entity in 1..=200 {
        replays.push(ask(&store.journal, all(format!("entity-{entity}"))).await);
    }
    gathering.gathered(&store).await;
    let Gathering { hold, busy, mark } = gathering;

    assert_eq!(hold.kill_those_that_wait().await, i64::from(READERS) + 1);
    for busy in busy {
        let error = busy.await.unwrap_err();
        assert!(
            matches!(error, ReplayError::Unavailable { .. }),
            "{error:?}"
        );
    }
    // Two batches of what has gathered, and the lane that tries again.
    hold.holds(3).await;
    assert_eq!(hold.kill_those_that_wait().await, 3);
    // Each alone now, as far as there are connections.
    hold.holds(READERS + 1).await;
    hold.release().await;
    for (entity, replay) in (1..).zip(join_all(replays).await) {
        assert_eq!(texts(replay.unwrap()).await.len(), entity);
    }
    mark.unwrap().stored().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_that_nobody_waits_for_any_more_are_not_read() {
    let store = Store::open().await;
    fill(&store, 200).await;
    let mut gathering = Gathering::begin(&store).await;
    let mut given_up = Vec::new();
    for entity in 1..=200 {
        given_up.push(ask(&store.journal, all(format!("entity-{entity}"))).await);
    }
    let awaited = ask(&store.journal, all("entity-50")).await;
    gathering.gathered(&store).await;
    drop(given_up);
    let read = "select idx_tup_read from pg_stat_user_indexes where indexrelname = 'journal_pkey'";
    store.run("select pg_stat_reset()").await;
    gathering.end(&store).await;
    assert_eq!(texts(awaited.await.unwrap()).await.len(), 50);
    let read: i64 = store.statistics(read).await;
    assert!(read < 100, "{read} entries");
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_answers_the_replays_that_are_under_way_and_those_that_wait() {
    let store = Store::open().await;
    fill(&store, 100).await;
    let gathering = Gathering::begin(&store).await;
    let mut replays = Vec::new();
    for entity in 1..=100 {
        replays.push(ask(&store.journal, all(format!("entity-{entity}"))).await);
    }
    let Gathering { hold, busy, .. } = gathering;
    let mut drained = pin!(store.journal.drain());
    // That it does not end cannot be awaited, only be given time to go wrong.
    let early = tokio::time::timeout(Duration::from_millis(200), &mut drained).await;
    assert!(early.is_err(), "drained while replays were under way");
    hold.release().await;
    drained.await;
    for replay in busy.into_iter().chain(replays) {
        let answer = tokio::task::unconstrained(replay).now_or_never();
        assert!(
            answer.is_some_and(|it| it.is_ok()),
            "drained without an answer"
        );
    }
}

/// Those that are slow hold up nobody, were there more of them than connections.
#[tokio::test(flavor = "multi_thread")]
async fn replays_that_are_not_read_to_their_end_hold_no_connection() {
    let store = Store::open().await;
    fill(&store, 30).await;
    store
        .run(
            "insert into journal (persistence_id, sequence_number, message, tags, metadata) \
             select 'long-' || e, n, '', '{}', '{\"sid\": 4, \"wid\": \"w\", \"t\": 1}' \
             from generate_series(1, 20) as e, generate_series(1, 4000) as n",
        )
        .await;
    let gathering = Gathering::begin(&store).await;
    let mut long = Vec::new();
    for entity in 1..=20 {
        long.push(ask(&store.journal, all(format!("long-{entity}"))).await);
    }
    gathering.end(&store).await;
    let long: Vec<Replay> = join_all(long)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    for entity in 1..=30 {
        let replay = store.journal.replay(all(format!("entity-{entity}"))).await;
        assert_eq!(texts(replay.unwrap()).await.len(), entity);
    }
    for replay in long {
        let events = replay.collect().await.unwrap();
        let numbers = events.iter().map(|event| event.sequence_number.get());
        assert!(numbers.eq(1..=4000));
    }
}

/// A replay waits for the writes and deletes before it, however many replays are on their way.
#[tokio::test(flavor = "multi_thread")]
async fn replays_see_the_writes_that_arrived_before_them() {
    let store = Store::with(JournalSettings::default()).await;
    let journal = &store.journal;
    let mut entities = Vec::new();
    for entity in 0..100 {
        let entity = id(format!("{entity}"));
        entities.push(async move {
            for first in 1..=5 {
                let stored = send(journal, write(&entity, first, ["x"])).await;
                let wanted = ReplayEvents::from(entity.clone(), SequenceNumber::FIRST);
                let replay = journal.replay(wanted).await.unwrap();
                assert_eq!(replay.highest, number(first));
                assert_eq!(texts(replay).await.len(), first as usize);
                stored.stored().await;
            }
            let to = number(3);
            let persistence_id = entity.clone();
            journal
                .delete(DeleteEvents { persistence_id, to })
                .await
                .unwrap();
            let wanted = ReplayEvents::from(entity, SequenceNumber::FIRST);
            let replay = journal.replay(wanted).await.unwrap();
            assert_eq!((replay.highest, replay.deleted_to), (number(5), to));
            assert_eq!(texts(replay).await.len(), 2);
        });
    }
    join_all(entities).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_all_that_wait_are_told_and_later_ones_are_served() {
    let server = PrivateServer::builder().durable(false).start();
    let server = server.await.unwrap();
    let store = Store::on(&server, ONE_LANE).await;
    fill(&store, 10).await;
    let pool = Pool::with_max_wait(store.settings.clone(), 2, Duration::from_millis(300));
    let journal = Journal::start(&store.settings, pool, ONE_LANE).await;
    let journal = journal.unwrap().journal().clone();
    server.stop_immediately().await.unwrap();
    let mut replays = Vec::new();
    for entity in 0..300 {
        replays.push(ask(&journal, all(format!("entity-{entity}"))).await);
    }
    for replay in join_all(replays).await {
        let error = replay.unwrap_err();
        assert!(
            matches!(error, ReplayError::Unavailable { .. }),
            "{error:?}"
        );
    }
    server.restart().await.unwrap();
    let replay = journal.replay(all("entity-7")).await.unwrap();
    assert_eq!(texts(replay).await.len(), 7);
    journal.drain().await;
    store.journal.drain().await;
}
