use annals_journal::ImportError;
use annals_persistence::SharedError;
use thiserror::Error;

use super::differences::Difference;
use super::unfit::Unfit;

/// Why a journal is not brought over, or not found to be the same.
#[derive(Debug, Error)]
pub(crate) enum CannotImport {
    #[error(
        "the source has no table event_journal that search_path ({search_path}) finds; name its schema by --from-schema"
    )]
    NoJournal { search_path: String },
    #[error(
        "the source has the legacy table {table}, whose rows are protobuf that only the plugin can read; bring it to the \
         current schema with the plugin's own migration (pekko-persistence-jdbc-migrator: JournalMigrator and \
         SnapshotMigrator), then import"
    )]
    Legacy { table: &'static str },
    #[error(
        "the table {table} of the source lacks {missing}; it is none of the current schema of pekko-persistence-jdbc 1.0 to 2.0: \
         name another schema by --from-schema, or bring it up to date with the plugin's own scripts"
    )]
    Columns {
        table: &'static str,
        missing: String,
    },
    #[error("the source has no table {table}; name its schema by --from-schema")]
    NoTable { table: &'static str },
    #[error(
        "nothing was imported: {rows} rows cannot be brought over, the first is {first}: {reason}; {way_out}{others}"
    )]
    Unfit {
        rows: i64,
        first: String,
        reason: &'static str,
        way_out: &'static str,
        others: String,
    },
    #[error(
        "nothing was imported: the orderings of the source begin at {first} and the journal has given {given} already; import \
         into a journal that has given none so high, or give new ones by --new-orderings"
    )]
    Orderings { first: i64, given: i64 },
    #[error(
        "nothing was imported: the journal has the events up to ordering {stored} of an earlier import, and has given {given} \
         since; where nobody else writes there, set its sequence back: select setval('{sequence}', {stored}), else import \
         with --new-orderings into another journal"
    )]
    GivenSince {
        stored: i64,
        given: i64,
        sequence: String,
    },
    #[error(
        "nothing was imported: the journal has event {sequence_number} of {persistence_id} already, and it is not that of the \
         source; import into a journal without that persistence id"
    )]
    Foreign {
        persistence_id: String,
        sequence_number: i64,
    },
    #[error(
        "{0}; once that is mended, run the same command again: it goes on behind what is stored"
    )]
    Ended(#[source] ImportError),
    #[error("{0}; both sides are not the same")]
    Differs(Box<Difference>),
    #[error(
        "events between the orderings {after} and {last} changed while they were compared; stop the writers and compare again by \
         --verify"
    )]
    Changing { after: i64, last: i64 },
    #[error("a row of the source cannot be read: {0}")]
    Row(String),
    #[error("the source was lost while it was read; run the import again, it goes on where it was")]
    Lost(#[source] SharedError),
}

impl CannotImport {
    pub(super) fn unfit(first: &Unfit, kinds: usize) -> Self {
        Self::Unfit {
            rows: first.rows,
            first: first.place(),
            reason: first.reason.said(),
            way_out: first.reason.way_out(),
            others: match kinds {
                0 | 1 => String::new(),
                _ => format!("; there are {} more reasons, see --dry-run", kinds - 1),
            },
        }
    }
}
