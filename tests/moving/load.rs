//! What goes on beside a move.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use annals::{
    Annals, Connection, EventStream, NewEvent, Payload, PersistenceId, SequenceNumber, Tags,
    WriteError, WriteEvents, WriterId,
};
use annals_postgres::{ErrorClass, TestDatabase, classify};
use futures::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_postgres::types::FromSql;

/// Writers of all kinds, until they are told to end.
pub(super) struct Load {
    end: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    writers: JoinSet<Written>,
}

/// What they know to be stored.
#[derive(Default)]
pub(super) struct Written {
    /// The text of each event.
    pub(super) stored: HashMap<(String, i64), String>,
    /// The orderings of events that are gone.
    pub(super) removed: HashSet<i64>,
}

pub(super) const ROWS: &str =
    "select persistence_id, sequence_number, convert_from(message, 'UTF8') from journal";

pub(super) const TAGGED: &str = "\
select ordering, persistence_id, sequence_number from journal where tags @> '{1}' order by ordering";

pub(super) const COLUMNS: &str = "\
select format('%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), \
  row(a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid))) \
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 \
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum \
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname not like '%flat_old%' \
order by c.relname, a.attnum";

pub(super) const INDEXES: &str = "\
select indexdef from pg_indexes where schemaname = 'public' and tablename not like '%flat_old%' order by indexdef";

pub(super) const TRIGGERS: &str = "\
select pg_get_triggerdef(t.oid) || f.prosrc from pg_trigger t join pg_proc f on f.oid = t.tgfoid where not t.tgisinternal order by 1";

pub(super) const SEQUENCES: &str = "\
select format('%s %s %s', s.seqrelid::regclass, s.seqcache, d.refobjid::regclass) from pg_sequence s \
left join pg_depend d on d.objid = s.seqrelid and d.classid = 'pg_class'::regclass and d.refobjsubid > 0 \
where s.seqrelid::regclass::text not like '%flat_old%' order by 1";

pub(super) const VERSIONS: &str =
    "select format('%s %s %s', version, name, checksum) from annals_schema order by version";

pub(super) const LAST_TAGGED: &str = "select max(ordering) from journal where tags @> '{1}'";

impl Load {
    pub(super) async fn begin(database: &TestDatabase, processes: &[Annals]) -> Self {
        let (end, rounds) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let mut writers = JoinSet::new();
        for (number, annals) in processes.iter().enumerate() {
            for id in 0..4 {
                let id = format!("ours-{number}-{id}");
                writers.spawn(ours(
                    annals.clone(),
                    id,
                    Arc::clone(&end),
                    Arc::clone(&rounds),
                ));
            }
        }
        for number in 0..2 {
            let connection = database.connect().await.unwrap();
            let id = format!("foreign-{number}");
            writers.spawn(foreign(
                connection,
                id,
                Arc::clone(&end),
                Arc::clone(&rounds),
            ));
        }
        let connection = database.connect().await.unwrap();
        writers.spawn(changes(connection, Arc::clone(&end)));
        Self {
            end,
            rounds,
            writers,
        }
    }

    /// Waits until everybody has written some more.
    pub(super) async fn goes_on(&self) {
        let enough = self.rounds.load(Ordering::Relaxed) + 2000;
        let begin = Instant::now();
        while self.rounds.load(Ordering::Relaxed) < enough {
            assert!(begin.elapsed() < Duration::from_secs(60), "nobody writes");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(super) async fn end(self) -> Written {
        self.end.store(true, Ordering::Relaxed);
        let mut all = Written::default();
        for written in self.writers.join_all().await {
            all.stored.extend(written.stored);
            all.removed.extend(written.removed);
        }
        all
    }
}

/// An entity's writes, one behind the other. Each must be stored.
async fn ours(annals: Annals, id: String, end: Arc<AtomicBool>, rounds: Arc<AtomicU64>) -> Written {
    let mut written = Written::default();
    let mut pace = tokio::time::interval(PACE);
    for number in 1.. {
        if end.load(Ordering::Relaxed) {
            break;
        }
        pace.tick().await;
        let text = format!("{id} says {number}");
        write(&annals, &id, number, &text).await.unwrap();
        written.stored.insert((id.clone(), number), text);
        rounds.fetch_add(1, Ordering::Relaxed);
    }
    written
}

pub(super) async fn write(
    annals: &Annals,
    id: &str,
    number: i64,
    text: &str,
) -> Result<(), WriteError> {
    let mut event = NewEvent::from(Payload::text(text));
    event.tags = Tags::of(["all"]).unwrap();
    let write = WriteEvents::new(
        PersistenceId::parse(id.to_owned()).unwrap(),
        SequenceNumber::new(number).unwrap(),
        WriterId::random(),
        vec![event],
    );
    annals.journal().write(write).await
}

/// Between two writes of one writer: the move must get on while there are always some under way.
const PACE: Duration = Duration::from_millis(2);

/// As the JVM plugin writes to a flat journal; every third transaction is rolled back.
async fn foreign(
    connection: Connection,
    id: String,
    end: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
) -> Written {
    let insert = "insert into journal (deleted, persistence_id, sequence_number, message, tags, metadata) \
        values (false, $1, $2, convert_to($3, 'UTF8'), '{1}', '{\"sid\":20,\"wid\":\"w\",\"t\":5}')";
    let insert = connection.prepare(insert).await.unwrap();
    let (mut written, mut next) = (Written::default(), 1_i64);
    let mut pace = tokio::time::interval(PACE);
    for round in 0.. {
        if end.load(Ordering::Relaxed) {
            break;
        }
        pace.tick().await;
        connection.batch_execute("begin").await.unwrap();
        let numbers = next..next + 3;
        let mut has_room = true;
        for number in numbers.clone() {
            let text = format!("{id} says {number}");
            let inserted = connection.execute(&insert, &[&id, &number, &text]).await;
            // Nobody waits for a partition in its place; it tries again.
            if let Err(error) = inserted {
                assert_eq!(classify(&error), ErrorClass::NoPartition, "{error:?}");
                has_room = false;
                break;
            }
        }
        if round % 3 == 0 || !has_room {
            connection.batch_execute("rollback").await.unwrap();
            continue;
        }
        connection.batch_execute("commit").await.unwrap();
        for number in numbers {
            written
                .stored
                .insert((id.clone(), number), format!("{id} says {number}"));
        }
        next += 3;
        rounds.fetch_add(1, Ordering::Relaxed);
    }
    written
}

/// Replaces, marks and removes what was there before; knows all of it.
async fn changes(connection: Connection, end: Arc<AtomicBool>) -> Written {
    let mut written = Written::default();
    for row in connection.query(ROWS, &[]).await.unwrap() {
        let id: String = row.get(0);
        if id.starts_with("earlier") {
            written.stored.insert((id, row.get(1)), row.get(2));
        }
    }
    let events: Vec<_> = written.stored.keys().cloned().collect();
    while !end.load(Ordering::Relaxed) {
        let event = events[fastrand::usize(..events.len())].clone();
        if !written.stored.contains_key(&event) {
            continue;
        }
        let (id, number) = (&event.0, &event.1);
        match fastrand::u8(..4) {
            0 => {
                let remove = "delete from journal where persistence_id = $1 and sequence_number = $2 returning ordering";
                let row = connection.query_one(remove, &[id, number]).await.unwrap();
                written.removed.insert(row.get(0));
                written.stored.remove(&event);
            }
            1 => {
                let mark = "update journal set metadata = metadata || '{\"sm\":\"m\"}' where persistence_id = $1 and sequence_number between $2 and $2 + 3";
                connection.execute(mark, &[id, number]).await.unwrap();
            }
            _ => {
                let text = format!("replaced {}", fastrand::u32(..));
                let replace = "update journal set message = convert_to($3, 'UTF8') where persistence_id = $1 and sequence_number = $2";
                connection
                    .execute(replace, &[id, number, &text])
                    .await
                    .unwrap();
                written.stored.insert(event.clone(), text);
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    written
}

/// What a live reader gets until it has come as far as it is told to: ordering, persistence id and
/// sequence number of each event.
pub(super) async fn read(
    mut events: EventStream,
    mut last: watch::Receiver<i64>,
) -> Vec<(i64, String, i64)> {
    let mut seen: Vec<(i64, String, i64)> = Vec::new();
    while seen.last().is_none_or(|it| it.0 < *last.borrow()) {
        tokio::select! {
            event = events.next() => {
                let event = event.unwrap().unwrap();
                let id = event.persistence_id.as_str().to_owned();
                seen.push((event.offset.get(), id, event.sequence_number.get()));
            }
            Ok(()) = last.changed() => {}
        }
    }
    seen
}

/// The one value that a query gives.
pub(super) async fn one<T: for<'a> FromSql<'a>>(connection: &Connection, sql: &str) -> T {
    connection.query_one(sql, &[]).await.unwrap().get(0)
}

/// Waits until a query gives true.
pub(super) async fn until(connection: &Connection, sql: &str) {
    let begin = Instant::now();
    while !one::<bool>(connection, sql).await {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "never true: {sql}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
