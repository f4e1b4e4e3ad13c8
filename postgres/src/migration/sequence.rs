use tokio_postgres::Client;

use crate::Layout;

/// Why the numbers of `journal.ordering` cannot be trusted by readers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SequenceError {
    /// Each connection draws numbers in advance.
    #[error(
        "the sequence {sequence} hands out {cache} numbers at a time, so that events appear behind the offset of readers \
         and are missed; run: alter sequence {sequence} cache 1, then let all writers connect anew"
    )]
    Cached {
        /// The sequence, with its schema.
        sequence: String,
        /// Its `cache`.
        cache: i64,
    },
    /// The numbers do not only grow.
    #[error(
        "the sequence {sequence} goes backwards or starts over (increment {increment}, cycle {cycle}), and readers follow its \
         order; run: alter sequence {sequence} increment 1 no cycle"
    )]
    NotGrowing {
        /// The sequence, with its schema.
        sequence: String,
        /// Its `increment`.
        increment: i64,
        /// Whether it starts over at its end.
        cycle: bool,
    },
    /// The column takes its numbers from no sequence.
    #[error(
        "journal.ordering draws from no sequence; run: create sequence journal_ordering_seq owned by journal.ordering, \
         and unless the journal is divided by ordering: alter table journal alter column ordering \
         set default nextval('journal_ordering_seq')"
    )]
    Missing,
    /// The catalog could not be read.
    #[error("the sequence of journal.ordering cannot be inspected; see the cause")]
    Unreadable(#[from] tokio_postgres::Error),
}

/// The sequence that the default of the column draws from, whoever owns it.
const SEQUENCE: &str = "
    select s.seqrelid::regclass::text, s.seqcache, s.seqincrement, s.seqcycle
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    join pg_catalog.pg_depend o on o.classid = 'pg_catalog.pg_attrdef'::regclass and o.objid = d.oid
                               and o.refclassid = 'pg_catalog.pg_class'::regclass
    join pg_catalog.pg_sequence s on s.seqrelid = o.refobjid
    where a.attrelid = 'journal'::regclass and a.attname = 'ordering'";

/// The sequence that belongs to the column: where writers name it themselves there is no default.
const OWNED_SEQUENCE: &str = "
    select s.seqrelid::regclass::text, s.seqcache, s.seqincrement, s.seqcycle
    from pg_catalog.pg_sequence s
    where s.seqrelid = to_regclass(coalesce(pg_get_serial_sequence('journal', 'ordering'), 'journal_ordering_seq'))";

/// Sees to it that `journal.ordering` grows one number at a time, which the horizon of the readers
/// rests on. [`migrate`](crate::migrate) does this too.
pub async fn check_ordering_sequence(client: &Client, layout: Layout) -> Result<(), SequenceError> {
    let sequence = match layout {
        Layout::Ordering => OWNED_SEQUENCE,
        Layout::Flat | Layout::Nested => SEQUENCE,
    };
    let row = client
        .query_typed_opt(sequence, &[])
        .await?
        .ok_or(SequenceError::Missing)?;
    let (sequence, cache): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
    let (increment, cycle): (i64, bool) = (row.try_get(2)?, row.try_get(3)?);
    if cache > 1 {
        return Err(SequenceError::Cached { sequence, cache });
    }
    if increment < 1 || cycle {
        return Err(SequenceError::NotGrowing {
            sequence,
            increment,
            cycle,
        });
    }
    Ok(())
}
