use annals::{Settings, connect};

const EVENTS: i64 = 664_839;

/// Holds what SQL alone can see against what the year must have become: every event once, and
/// every history contiguous from 1.
pub(crate) async fn assert_year_is_whole(settings: &Settings) {
    let connection = connect(settings).await.expect("the server answers");
    let row = connection
        .query_one(
            "select count(*), \
               count(distinct (metadata->>'sm', convert_from(message, 'UTF8')::jsonb->'flight'->>'row')) \
             from journal",
            &[],
        )
        .await
        .expect("the events are JSON");
    let (events, different): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(events, EVENTS, "events in the journal");
    assert_eq!(different, EVENTS, "different events in the journal");

    let broken = connection
        .query(
            "select persistence_id, count(*), min(sequence_number), max(sequence_number) \
             from journal group by persistence_id \
             having min(sequence_number) <> 1 or max(sequence_number) <> count(*)",
            &[],
        )
        .await
        .expect("the journal can be read");
    let broken: Vec<String> = broken.iter().map(|row| row.get(0)).collect();
    assert!(broken.is_empty(), "histories with holes: {broken:?}");

    let histories: i64 = connection
        .query_one("select count(distinct persistence_id) from journal", &[])
        .await
        .expect("the journal can be read")
        .get(0);
    // 4,043 aircraft, and the carriers whose cancelled flights got none.
    let desks: i64 = connection
        .query_one(
            "select count(distinct persistence_id) from journal where persistence_id like 'Carrier|%'",
            &[],
        )
        .await
        .expect("the journal can be read")
        .get(0);
    assert_eq!(desks, 7, "carriers in the journal");
    assert_eq!(histories, 4_050, "log books in the journal");
}
