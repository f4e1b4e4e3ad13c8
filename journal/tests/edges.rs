//! Writes across the edges of partitions.

use annals_journal::JournalSettings;
use annals_postgres::Layout;

use crate::store::Store;
use crate::writes::{id, send, write};

const OUT_OF_PLACE: &str = "\
select count(*) from (select sequence_number, \
  row_number() over (partition by persistence_id order by ordering) as place from journal) as it \
where sequence_number <> place";

#[tokio::test(flavor = "multi_thread")]
async fn writes_over_the_edges_of_partitions_are_stored_in_their_order() {
    let store = Store::in_layout(Layout::Ordering, 7, JournalSettings::default()).await;
    let mut answers = Vec::new();
    for number in 1..=20 {
        for entity in 0..50 {
            let write = write(&id(format!("{entity}")), number, [number.to_string()]);
            answers.push(send(&store.journal, write).await);
        }
    }
    for answer in answers {
        answer.stored().await;
    }
    assert_eq!(store.one::<i64>("select count(*) from journal").await, 1000);
    assert_eq!(store.one::<i64>(OUT_OF_PLACE).await, 0);
    let filled = "select count(distinct tableoid) > 100 from journal";
    assert!(store.one::<bool>(filled).await);
}
