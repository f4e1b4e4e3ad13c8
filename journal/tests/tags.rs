//! Rows hold the numbers of tags.

use annals_persistence::{Tags, WriteEvents};

use crate::store::{ONE_LANE, Store, until};
use crate::writes::{events_at, id, rejection, send, text, write};

fn tagged(persistence_id: &str, first: i64, tags: &[&str]) -> WriteEvents {
    let mut event = text("x");
    event.tags = Tags::of(tags.iter().copied()).unwrap();
    events_at(&id(persistence_id), first, vec![event])
}

/// The tags of each row, as words in the order in which the row has them.
const WORDS: &str = "\
select persistence_id || ':' || array_to_string(array( \
  select coalesce(name, '?') from unnest(tags) with ordinality as it(id, place) \
  left join tags using (id) order by place), ',') \
from journal order by persistence_id";

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_two_processes_see_first_at_the_same_time_get_one_number_each() {
    let store = Store::open().await;
    let other = store.another(ONE_LANE).await;
    let (mut answers, mut expected) = (Vec::new(), Vec::new());
    for round in 0..60 {
        // Crosswise, as those who lock each other out would give them.
        let tags = [0, 1, 2].map(|tag| format!("{}", round / 2 + tag));
        let [a, b, c] = tags.each_ref().map(String::as_str);
        for (process, journal, tags) in [(1, &store.journal, [a, b, c]), (2, &other, [c, b, a])] {
            let entity = format!("{process}-{round:02}");
            answers.push(send(journal, tagged(&entity, 1, &tags)).await);
            expected.push(format!("{entity}:{}", tags.join(",")));
        }
    }
    for answer in answers {
        answer.stored().await;
    }
    expected.sort_unstable();
    assert_eq!(store.column::<String>(WORDS).await, expected);
    let names = "select count(*) from tags";
    assert_eq!(store.one::<i64>(names).await, 32);
}

/// Only readers are killed here: tags get their numbers on their connections.
#[tokio::test(flavor = "multi_thread")]
async fn new_tags_get_their_numbers_while_connections_are_killed() {
    let store = Store::open().await;
    let killer = store.connect().await;
    for number in 1..=30 {
        let tag = number.to_string();
        let answer = send(&store.journal, tagged("entity", number, &[&tag])).await;
        killer.batch_execute(KILL_READERS).await.unwrap();
        answer.stored().await;
    }
    let rows = "select count(*) from journal join tags on tags.id = any(journal.tags) \
                where name = sequence_number::text";
    assert_eq!(store.one::<i64>(rows).await, 30);
}

const KILL_READERS: &str = "\
select pg_terminate_backend(pid) from pg_stat_activity \
where datname = current_database() and pid <> pg_backend_pid() \
  and (query like '%tags%' and query not like '%insert into journal%' \
       or query like '%plan_cache_mode%')";

#[tokio::test(flavor = "multi_thread")]
async fn each_event_has_its_own_tags_and_one_without_has_an_empty_array() {
    let store = Store::open().await;
    let mut events = vec![text("1"), text("2"), text("3")];
    events[0].tags = Tags::of(["b", "a"]).unwrap();
    events[2].tags = Tags::of(["a"]).unwrap();
    let entity = id("entity");
    store
        .journal
        .write(events_at(&entity, 1, events))
        .await
        .unwrap();
    store.journal.write(write(&entity, 4, ["4"])).await.unwrap();
    let words = "select coalesce(tags::text, 'null') || ' ' || array_to_string(array( \
                 select name from tags where id = any(tags) order by name), ',') \
                 from journal order by sequence_number";
    let ids: Vec<i64> = store.column("select id from tags order by name").await;
    let [a, b] = ids[..] else { panic!("{ids:?}") };
    let expected = [
        format!("{{{b},{a}}} a,b"),
        "{} ".to_owned(),
        format!("{{{a}}} a"),
        "{} ".to_owned(),
    ];
    let words = words.replace("any(tags)", "any(journal.tags)");
    assert_eq!(store.column::<String>(&words).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_whose_number_does_not_fit_into_a_row_is_a_rejection_that_names_it() {
    let store = Store::open().await;
    let journal = &store.journal;
    journal.write(tagged("entity", 1, &["old"])).await.unwrap();
    store
        .run("alter sequence tags_id_seq restart with 3000000000")
        .await;
    let neighbour = send(journal, tagged("neighbour", 1, &["old"])).await;
    let said = rejection(journal.write(tagged("entity", 2, &["old", "new"])).await);
    assert!(said.contains("\"new\" has the number 3000000000"), "{said}");
    neighbour.stored().await;
    journal.write(tagged("entity", 2, &["old"])).await.unwrap();
    let stored = ["entity:old", "entity:old", "neighbour:old"];
    assert_eq!(store.column::<String>(WORDS).await, stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_tag_that_must_wait_holds_up_only_its_own_persistence_id() {
    let store = Store::open().await;
    let journal = &store.journal;
    let holder = store.connect().await;
    let lock = holder.batch_execute("begin; lock table tags in exclusive mode");
    lock.await.unwrap();
    let mut first = send(journal, tagged("entity", 1, &["new"])).await;
    let mut second = send(journal, tagged("entity", 2, &[])).await;
    until(
        &store.connect().await,
        "select count(*) = 1 from pg_stat_activity \
         where datname = current_database() and wait_event_type = 'Lock'",
    )
    .await;
    for number in 1..=5 {
        journal.write(tagged("other", number, &[])).await.unwrap();
    }
    assert!(!first.is_there().await && !second.is_there().await);
    holder.batch_execute("commit").await.unwrap();
    first.stored().await;
    second.stored().await;
}
