use annals_persistence::{
    DeleteEvents, EventEnvelope, JournalRef, NewEvent, Payload, PersistenceId, ReplayEvents,
    SequenceNumber, WriteError, WriteEvents, WriterId,
};

/// A persistence id that nobody has used before.
pub(super) fn fresh_id() -> PersistenceId {
    PersistenceId::of("suite", &WriterId::random().to_string()).expect("a uuid makes an id")
}

/// New persistence ids with what SQL, paths, patterns and identifiers treat in their own way, and
/// such as differ by little only; the last one has 255 bytes.
pub(super) fn odd_ids() -> Vec<PersistenceId> {
    let unique = WriterId::random();
    let id = |text: String| PersistenceId::parse(text).expect("the suite has no id that is none");
    let mut ids: Vec<PersistenceId> = ODD_FORMS
        .iter()
        .map(|form| id(format!("{form}{unique}{form}")))
        .collect();
    ids.push(id(format!("{unique}{}", "😀'\"/\u{1}x".repeat(30))
        .chars()
        .scan(0, |bytes, char| {
            *bytes += char.len_utf8();
            (*bytes <= 255).then_some(char)
        })
        .collect()));
    ids
}

const ODD_FORMS: [&str; 28] = [
    "'",
    "\"",
    "''; drop table journal; --",
    "''; drop table durable_state; --",
    "/",
    "\\",
    "\\000",
    "%",
    "_",
    "$1",
    "{}",
    "a",
    "A",
    " a",
    "a ",
    "|",
    "a|b|c",
    "ß",
    "Ünïcödé",
    "e\u{301}",
    "\u{e9}",
    "日本語",
    "😀",
    "\u{202e}",
    "\u{feff}",
    "\u{1}",
    "\u{7f}",
    "\t\r\n",
];

/// A million bytes, every byte among them.
pub(super) fn million_bytes() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(1_000_000).collect()
}

pub(super) fn number(number: i64) -> SequenceNumber {
    SequenceNumber::new(number).expect("the suite asks for no negative sequence number")
}

/// Events whose text tells their sequence number, as the TCK writes them: `a-1`, `a-2`.
pub(super) fn write(
    persistence_id: &PersistenceId,
    writer: WriterId,
    first: i64,
    count: i64,
) -> WriteEvents {
    write_texts(
        persistence_id,
        writer,
        first,
        (0..count).map(|i| text("a", first + i)),
    )
}

pub(super) fn write_texts(
    persistence_id: &PersistenceId,
    writer: WriterId,
    first: i64,
    texts: impl IntoIterator<Item = String>,
) -> WriteEvents {
    let events = texts.into_iter().map(|text| Payload::text(text).into());
    write_events(persistence_id, writer, first, events.collect())
}

pub(super) fn write_events(
    persistence_id: &PersistenceId,
    writer: WriterId,
    first: i64,
    events: Vec<NewEvent>,
) -> WriteEvents {
    WriteEvents::new(persistence_id.clone(), number(first), writer, events)
}

pub(super) fn text(prefix: &str, number: i64) -> String {
    format!("{prefix}-{number}")
}

/// Writes and expects that it is stored.
pub(super) async fn store(journal: &JournalRef, write: WriteEvents) {
    let (persistence_id, first) = (write.persistence_id.clone(), write.first);
    if let Err(error) = journal.write(write).await {
        panic!("the write of {persistence_id} from {first} must be stored, but: {error:?}");
    }
}

/// A new persistence id with the events 1 to 5, the last two written as one.
pub(super) async fn five_events(journal: &JournalRef) -> PersistenceId {
    let (persistence_id, writer) = (fresh_id(), WriterId::random());
    for first in 1..=3 {
        store(journal, write(&persistence_id, writer, first, 1)).await;
    }
    store(journal, write(&persistence_id, writer, 4, 2)).await;
    persistence_id
}

/// What a replay gave.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) highest: i64,
    pub(super) deleted_to: i64,
    pub(super) events: Vec<EventEnvelope>,
}

impl Replayed {
    pub(super) fn numbers(&self) -> Vec<i64> {
        self.events
            .iter()
            .map(|event| event.sequence_number.get())
            .collect()
    }

    pub(super) fn texts(&self) -> Vec<String> {
        self.events
            .iter()
            .map(|event| String::from_utf8_lossy(&event.payload.bytes).into_owned())
            .collect()
    }
}

pub(super) async fn replay(
    journal: &JournalRef,
    persistence_id: &PersistenceId,
    (from, to, limit): (i64, i64, u64),
) -> Replayed {
    let wanted = ReplayEvents {
        persistence_id: persistence_id.clone(),
        from: number(from),
        to: number(to),
        limit,
    };
    let replay = match journal.replay(wanted.clone()).await {
        Ok(replay) => replay,
        Err(error) => panic!("{wanted:?} must be answered, but: {error:?}"),
    };
    let (highest, deleted_to) = (replay.highest.get(), replay.deleted_to.get());
    let events = match replay.collect().await {
        Ok(events) => events,
        Err(error) => panic!("{wanted:?} must come to its end, but: {error:?}"),
    };
    for event in &events {
        assert_eq!(
            event.persistence_id, wanted.persistence_id,
            "{wanted:?} must give no event of another persistence id"
        );
    }
    Replayed {
        highest,
        deleted_to,
        events,
    }
}

pub(super) async fn replay_all(journal: &JournalRef, persistence_id: &PersistenceId) -> Replayed {
    replay(journal, persistence_id, (1, i64::MAX, u64::MAX)).await
}

/// Replays (from, to, limit) and expects exactly these events, each with the text that [`write`]
/// gave it, and this highest sequence number.
pub(super) async fn expect_replay(
    journal: &JournalRef,
    persistence_id: &PersistenceId,
    wanted: (i64, i64, u64),
    numbers: impl IntoIterator<Item = i64>,
    highest: i64,
) {
    let replayed = replay(journal, persistence_id, wanted).await;
    let numbers: Vec<i64> = numbers.into_iter().collect();
    let (from, to, limit) = wanted;
    let asked = format!("{persistence_id} from {from} to {to}, at most {limit}");
    assert_eq!(replayed.numbers(), numbers, "the events of {asked}");
    let texts: Vec<String> = numbers.iter().map(|number| text("a", *number)).collect();
    assert_eq!(replayed.texts(), texts, "the payloads of {asked}");
    assert_eq!(
        replayed.highest, highest,
        "the highest sequence number ever given, asked for with {asked}"
    );
}

/// Forgets the events of a persistence id up to and with `to`.
pub(super) async fn delete(journal: &JournalRef, id: &PersistenceId, to: i64) {
    let delete = DeleteEvents {
        persistence_id: id.clone(),
        to: number(to),
    };
    if let Err(error) = journal.delete(delete).await {
        panic!("the events of {id} up to {to} must be deleted, but: {error:?}");
    }
}

/// Expects that a write lost a race, and that both sequence numbers are named.
pub(super) fn expect_conflict(result: &Result<(), WriteError>, attempted: i64, highest: i64) {
    match result {
        Err(WriteError::Conflict {
            attempted: first,
            highest: top,
            ..
        }) => assert_eq!(
            (first.get(), top.get()),
            (attempted, highest),
            "the attempted and the highest sequence number of the conflict"
        ),
        other => {
            panic!("a write at {attempted} with {highest} stored must be a conflict: {other:?}")
        }
    }
}
