//! Events that say something else in the row that they have.

use annals_persistence::{
    Metadata, Payload, ReplaceError, ReplaceEvent, ReplayEvents, SequenceNumber, Tags,
};
use serde_json::{Value, json};

use crate::hold::Hold;
use crate::store::{Store, accepted};
use crate::writes::{events_at, id, number, send, text, with_causes, write};

const ROW: &str = "select jsonb_build_object('ordering', ordering, 'deleted', deleted, \
    'message', convert_from(message, 'UTF8'), 'tags', to_jsonb(tags), 'metadata', metadata)::text \
    from journal where persistence_id = 'entity' and sequence_number = 1";

async fn row(store: &Store) -> Value {
    serde_json::from_str(&store.one::<String>(ROW).await).unwrap()
}

fn replacement() -> ReplaceEvent {
    let mut payload = Payload::text("somebody");
    payload.manifest = "Forgotten".into();
    ReplaceEvent::new(id("entity"), SequenceNumber::FIRST, payload)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_row_keeps_its_ordering_tags_mark_writer_and_time() {
    let store = Store::open().await;
    let mut event = text("mary");
    event.payload.manifest = "Registered".into();
    event.event_manifest = "v1 of mary".into();
    event.metadata = Metadata::new().with("by", "mary");
    event.tags = Tags::of(["vip"]).unwrap();
    let write = events_at(&id("entity"), 1, vec![event]);
    store.journal.write(write).await.unwrap();
    // A row that is marked as deleted is there still, and says what it says.
    store.run("update journal set deleted = true").await;
    let mut expected = row(&store).await;

    store.journal.replace(replacement()).await.unwrap();
    let metadata = &mut expected["metadata"];
    metadata["sm"] = json!("Forgotten");
    metadata.as_object_mut().unwrap().remove("em").unwrap();
    metadata.as_object_mut().unwrap().remove("meta").unwrap();
    expected["message"] = json!("somebody");
    assert_eq!(row(&store).await, expected);
}

/// The plugin's first releases wrote long keys; half of each must not stand beside half of the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_row_of_the_first_releases_of_the_plugin_gets_the_keys_of_today() {
    let store = Store::open().await;
    let long = r#"{"serId": 9, "serManifest": "a", "eventManifest": "mary", "writerUuid": "w", "timestamp": 5}"#;
    let both = r#"{"serId": 9, "writerUuid": "old", "timestamp": 4, "sid": 9, "wid": "w", "t": 5}"#;
    let short = r#"{"sid": 9, "sm": "a", "em": "mary", "wid": "w", "t": 5, "theirs": [1]}"#;
    for (metadata, theirs) in [(long, None), (both, None), (short, Some(json!([1])))] {
        store
            .run(&format!(
                "delete from journal; \
                 insert into journal (persistence_id, sequence_number, message, tags, metadata) \
                 values ('entity', 1, 'mary', '{{}}', '{metadata}')"
            ))
            .await;
        let mut replacement = replacement();
        replacement.metadata = Metadata::new().with("erased", true);
        store.journal.replace(replacement).await.unwrap();
        let mut expected = json!({
            "sid": 20, "sm": "Forgotten", "wid": "w", "t": 5, "meta": { "erased": true }
        });
        if let Some(theirs) = theirs {
            expected["theirs"] = theirs;
        }
        assert_eq!(row(&store).await["metadata"], expected, "{metadata}");
        let replay = ReplayEvents::from(id("entity"), SequenceNumber::FIRST);
        let events = store.journal.replay(replay).await.unwrap().collect().await;
        assert_eq!(events.unwrap()[0].writer, "w");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_cannot_hold_is_rejected_and_the_event_stays() {
    let store = Store::open().await;
    let journal = &store.journal;
    journal
        .write(write(&id("entity"), 1, ["mary"]))
        .await
        .unwrap();
    let before = row(&store).await;
    let mut nul = replacement();
    nul.payload.manifest = "\0".into();
    let said = rejected(journal.replace(nul).await);
    assert!(said.contains("\\u0000 cannot be converted"), "{said}");

    store
        .run(
            "create function keep() returns trigger language plpgsql as $$ begin \
               if new.metadata->>'sm' = 'Forgotten' then return null; end if; \
               raise exception using errcode = 'RULES', message = 'nobody forgets'; end $$; \
             create trigger keep before update on journal for each row execute function keep()",
        )
        .await;
    let said = rejected(journal.replace(replacement()).await);
    assert!(said.contains("passed over rows"), "{said}");
    let mut other = replacement();
    other.payload.manifest = "Other".into();
    let said = rejected(journal.replace(other).await);
    assert!(said.contains("nobody forgets"), "{said}");
    assert_eq!(row(&store).await, before);
}

fn rejected(result: Result<(), ReplaceError>) -> String {
    match result {
        Err(error @ ReplaceError::Rejected { .. }) => with_causes(&error),
        other => panic!("must be rejected: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_waits_for_the_writes_of_its_id_and_for_no_others() {
    let store = Store::with_one_lane().await;
    let journal = &store.journal;
    journal
        .write(write(&id("other"), 1, ["mary"]))
        .await
        .unwrap();
    let hold = Hold::on(&store).await;
    let unstored = send(journal, write(&id("entity"), 1, ["mary"])).await;
    hold.holds(1).await;
    let mut behind = Box::pin(journal.replace(replacement()));
    assert!(futures::poll!(behind.as_mut()).is_pending());
    accepted(journal).await;
    // What changes rows waits for the same lock; only this one is there beside the lane.
    let other = ReplaceEvent::new(id("other"), number(1), Payload::text("x"));
    let mut beside = Box::pin(journal.replace(other));
    assert!(futures::poll!(beside.as_mut()).is_pending());
    hold.holds(2).await;
    hold.release().await;
    unstored.stored().await;
    behind.await.unwrap();
    beside.await.unwrap();
    assert_eq!(
        store.texts(&id("entity")).await,
        [(1, "somebody".to_owned())]
    );
}
