//! Large events come in pages that are bounded in bytes.

use std::sync::Arc;

use annals_journal::JournalSettings;
use annals_persistence::SequenceNumber;
use futures::future::join_all;

use crate::replays::{Gathering, all, ask};
use crate::store::Store;

const MEBIBYTE: usize = 1024 * 1024;

/// Histories `entity-1`, `entity-2`, ... of ten events; of every third one they have 400 KiB each, of
/// every seventh one 2 MiB.
async fn fill(store: &Store, histories: i64) {
    store
        .run(&format!(
            "insert into journal (persistence_id, sequence_number, message, tags, metadata) \
             select 'entity-' || e, n, \
               convert_to(rpad(e || '/' || n, \
                 case when e % 7 = 0 then 2097152 when e % 3 = 0 then 409600 else 8 end), 'UTF8'), \
               '{{}}', '{{\"sid\": 20, \"wid\": \"w\", \"t\": 1}}' \
             from generate_series(1, {histories}) as e, generate_series(1, 10) as n"
        ))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_that_share_a_query_get_their_events_in_pages_of_a_mebibyte() {
    const HISTORIES: i64 = 21;
    let store = Arc::new(Store::with(JournalSettings::default()).await);
    fill(&store, HISTORIES).await;
    let gathering = Gathering::begin(&store).await;
    let mut replays = Vec::new();
    for entity in 1..=HISTORIES {
        replays.push(ask(&store.journal, all(format!("entity-{entity}"))).await);
    }
    gathering.end(&store).await;
    let replays = (1..).zip(join_all(replays).await);
    for (entity, replay) in replays.collect::<Vec<(i64, _)>>() {
        let mut replay = replay.unwrap();
        assert_eq!(replay.highest, SequenceNumber::from(10));
        let mut texts = Vec::new();
        while let Some(page) = replay.next_batch().await.unwrap() {
            let bytes: usize = page.iter().map(|event| event.payload.bytes.len()).sum();
            assert!(
                bytes <= MEBIBYTE || page.len() == 1,
                "a page of {bytes} bytes"
            );
            for event in page {
                let text = String::from_utf8(event.payload.bytes.to_vec()).unwrap();
                texts.extend(text.split(' ').next().map(str::to_owned));
            }
        }
        let expected: Vec<String> = (1..=10)
            .map(|number| format!("{entity}/{number}"))
            .collect();
        assert_eq!(texts, expected);
    }
}
