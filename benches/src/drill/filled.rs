use std::error::Error;
use std::fmt;
use std::num::NonZeroU64;

use annals::{Connection, Layout, NewJournal, Settings};
use annals_postgres::migrate_as;

/// A journal with a past.
pub(super) struct Filled {
    /// All of them go on to be written to.
    pub(super) ids: Vec<String>,
    /// Those that leave and come back, the oldest first.
    pub(super) partitions: Vec<String>,
    /// The last ordering in them.
    pub(super) leaving_to: i64,
    /// The first number of each persistence id behind them.
    pub(super) staying_from: i64,
}

/// Everything that was there before the drill, as `schemas/partitions/content.sql` sums it up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) rows: i64,
    checksum: String,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events, {}", self.rows, self.checksum)
    }
}

/// So many leave, and two parts in twelve of the events stay.
const LEAVING: i64 = 10;
const PARTS: i64 = 12;

/// Events of one statement.
const CHUNK: i64 = 250_000;

impl Filled {
    /// Histories that grow side by side; each has a snapshot at its end, and a reader that has passed all
    /// that leaves is declared.
    pub(super) async fn fill(
        settings: &Settings,
        admin: &Connection,
        layout: Layout,
        events: i64,
    ) -> Result<Self, Box<dyn Error>> {
        let size = events / PARTS;
        let journal = NewJournal::new(layout)
            .partition_size(NonZeroU64::new(size.try_into()?).ok_or("partitions of nothing")?);
        migrate_as(settings, &journal).await?;
        let (ids, parts) = match layout {
            Layout::Nested => (5, PARTS / 5 + 1),
            Layout::Flat | Layout::Ordering => (8, PARTS),
        };
        let mut leaving = Vec::new();
        let mut make = String::from("set annals.writer = 'on'; set synchronous_commit = off;\n");
        if layout == Layout::Nested {
            for id in 0..ids {
                let parent = format!("j_drill_{id}");
                make.push_str(&format!(
                    "create table {parent} partition of journal for values in ('Drill|{id}') \
                     partition by range (sequence_number);\n"
                ));
                for part in 0..parts {
                    make.push_str(&partition(&parent, &format!("{parent}_{part}"), part, size));
                }
            }
            for part in 0..LEAVING / ids {
                leaving.extend((0..ids).map(|id| format!("j_drill_{id}_{part}")));
            }
        } else {
            for part in 0..=parts {
                let name = format!("j_{part}");
                make.push_str(&partition("journal", &name, part, size));
                make.push_str(&format!(
                    "create unique index {name}_persistence_sequence_idx on {name} (persistence_id, sequence_number);\n"
                ));
            }
            leaving.extend((0..LEAVING).map(|part| format!("j_{part}")));
        }
        admin.batch_execute(&make).await?;
        let mut from = 0;
        while from < events {
            let to = (from + CHUNK).min(events);
            let fill = format!(
                "insert into journal (ordering, persistence_id, sequence_number, message, tags, metadata) \
                 select nextval('journal_ordering_seq'), 'Drill|' || event % {ids}, event / {ids} + 1, \
                   decode(repeat(md5(event::text), 6), 'hex'), '{{}}', \
                   jsonb_build_object('sid', 4, 'wid', '0f8fad5b-d9cb-469f-a165-70867728950e', 't', 1700000000000 + event) \
                 from generate_series({from}, {to} - 1) as event"
            );
            admin.batch_execute(&fill).await?;
            from = to;
        }
        admin.batch_execute(BEHIND_IT).await?;
        for alone in ["vacuum analyze journal", "checkpoint"] {
            admin.batch_execute(alone).await?;
        }
        let leaving_to = match layout {
            // Numbers begin with 1, so that the first part of each has one event less.
            Layout::Nested => (LEAVING / ids * size - 1) * ids,
            Layout::Flat | Layout::Ordering => LEAVING * size - 1,
        };
        let declare = "insert into reader_position (reader, read_to) values ('drill', $1)";
        admin.execute(declare, &[&leaving_to]).await?;
        let view =
            format!("create temp view filled as select * from journal where ordering <= {events}");
        admin.batch_execute(&view).await?;
        println!("{layout}: {events} events in partitions of {size}");
        Ok(Self {
            ids: (0..ids).map(|id| format!("Drill|{id}")).collect(),
            partitions: leaving,
            leaving_to,
            staying_from: leaving_to / ids + 2,
        })
    }

    /// Of what was filled; the session must be the one that filled.
    pub(super) async fn content(&self, admin: &Connection) -> Result<Content, Box<dyn Error>> {
        let sum = include_str!("../../../schemas/partitions/content.sql");
        admin
            .batch_execute(
                "select set_config('annals.relation', 'filled'::regclass::oid::text, false)",
            )
            .await?;
        admin.batch_execute(sum).await?;
        let said = "select (content ->> 'rows')::int8, content ->> 'checksum' \
                    from (select current_setting('annals.content')::jsonb as content) as summed";
        let row = admin.query_one(said, &[]).await?;
        Ok(Content {
            rows: row.get(0),
            checksum: row.get(1),
        })
    }
}

/// Sequence numbers that stand in the journal twice.
pub(super) async fn doubled(admin: &Connection) -> Result<usize, Box<dyn Error>> {
    let doubled = "select coalesce(sum(times - 1), 0)::int8 from (\
                     select count(*) as times from journal group by persistence_id, sequence_number having count(*) > 1) as twice";
    let doubled: i64 = admin.query_one(doubled, &[]).await?.get(0);
    Ok(doubled.try_into()?)
}

fn partition(parent: &str, name: &str, number: i64, size: i64) -> String {
    format!(
        "create table {name} partition of {parent} for values from ({}) to ({});\n",
        number * size,
        (number + 1) * size
    )
}

const BEHIND_IT: &str = "\
insert into journal_metadata (persistence_id, max_sequence_number, max_ordering, min_ordering) \
  select persistence_id, max(sequence_number), max(ordering), min(ordering) from journal group by persistence_id; \
insert into snapshot select persistence_id, max(sequence_number), 1, '', '{}' from journal group by persistence_id";
