//! Import by COPY beside a raw client that copies the same rows into a flat journal and does nothing
//! else: no look at what is there, no tags, no metadata.

use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::time::Instant;

use annals::{
    Annals, Connection, ImportEvent, Layout, NewJournal, Payload, PersistenceId, SequenceNumber,
    Timestamp, WriterId, connect,
};
use annals_postgres::migrate;
use annals_rows::JsonbText;
use futures::stream;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

use crate::cases::Case;
use crate::ceiling::METADATA;
use crate::database::{fresh, open_in};
use crate::rounds::{Line, Plan, Side};
use crate::sample::Throughput;

const HISTORIES: i64 = 1000;
const CHUNK: i64 = 10_000;
const PAYLOAD: [u8; 100] = [b'x'; 100];

const COPY: &str =
    "copy journal (sequence_number, persistence_id, message, tags, metadata) from stdin binary";

pub(super) fn cases() -> Vec<Case> {
    let journals = [
        ("import-flat", NewJournal::new(Layout::Flat)),
        (
            "import-flat-metadata",
            NewJournal::new(Layout::Flat).keep_metadata(),
        ),
        ("import-ordering", NewJournal::new(Layout::Ordering)),
    ];
    journals
        .into_iter()
        .map(|(name, journal)| Case::new([name], move |plan| measure(plan, name, journal.clone())))
        .collect()
}

async fn measure(
    plan: Plan,
    name: &'static str,
    journal: NewJournal,
) -> Result<Vec<Line>, Box<dyn Error>> {
    let annals = open_in(&plan.server.settings, "annals_bench", &journal).await?;
    let settings = fresh(&plan.server.settings, "annals_bench_ceiling").await?;
    migrate(&settings).await?;
    let raw = connect(&settings).await?;
    let mut run = 0;
    let rounds = plan
        .alternate(name, async |side, time| {
            run += 1;
            let begin = Instant::now();
            let events = match side {
                Side::Ours => import(&annals, run, begin + time).await?,
                Side::Yardstick => copy(&raw, run, begin + time).await?,
            };
            Ok(Throughput(events as f64 / begin.elapsed().as_secs_f64()))
        })
        .await?;
    annals.shutdown().await;
    Ok(vec![rounds.line(name, |rate: &Throughput| rate.0)])
}

async fn import(annals: &Annals, run: u32, end: Instant) -> Result<u64, Box<dyn Error>> {
    let ids = (0..HISTORIES).map(|it| PersistenceId::parse(format!("{run}|{it}")));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    let writer = WriterId::random();
    let events = places().take_while(|(chunk_begins, _, _)| !chunk_begins || Instant::now() < end);
    let events = events.map(|(_, id, number)| {
        Ok::<_, Infallible>(ImportEvent {
            persistence_id: ids[id].clone(),
            sequence_number: SequenceNumber::new(number).unwrap_or_default(),
            event: Payload::raw(&PAYLOAD[..]).into(),
            writer,
            timestamp: Timestamp::from_millis(1_700_000_000_000),
            deleted: false,
            ordering: None,
        })
    });
    Ok(annals.import().run(stream::iter(events)).await?.events)
}

async fn copy(raw: &Connection, run: u32, end: Instant) -> Result<u64, Box<dyn Error>> {
    let ids: Vec<String> = (0..HISTORIES).map(|it| format!("{run}|{it}")).collect();
    let columns = [
        Type::INT8,
        Type::TEXT,
        Type::BYTEA,
        Type::INT4_ARRAY,
        Type::JSONB,
    ];
    let mut places = places();
    let mut copied = 0;
    while Instant::now() < end {
        let mut writer = pin!(BinaryCopyInWriter::new(raw.copy_in(COPY).await?, &columns));
        for (_, id, number) in places.by_ref().take(CHUNK as usize) {
            let metadata = JsonbText(METADATA.to_owned());
            writer
                .as_mut()
                .write(&[
                    &number,
                    &ids[id],
                    &PAYLOAD.as_slice(),
                    &Vec::<i32>::new(),
                    &metadata,
                ])
                .await?;
        }
        copied += writer.finish().await?;
    }
    Ok(copied)
}

/// Whether a chunk begins, whose event it is, and its number.
fn places() -> impl Iterator<Item = (bool, usize, i64)> {
    (0..).map(|it: i64| {
        (
            it % CHUNK == 0,
            (it % HISTORIES) as usize,
            it / HISTORIES + 1,
        )
    })
}
