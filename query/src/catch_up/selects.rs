//! The statements that read events of a selection.

use annals_rows::{event_columns, not_deleted};
use tokio_postgres::types::ToSql;

/// How the tags that are wanted are told to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TagFilter {
    /// One, by its number.
    One(i32),
    /// In the language of intarray.
    Expression(String),
}

impl TagFilter {
    /// What $4 is.
    pub(crate) fn argument(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::One(number) => number,
            Self::Expression(expression) => expression,
        }
    }

    /// Holds for the rows whose tags, as SQL names them, fit.
    fn fits(&self, tags: &str) -> String {
        match self {
            Self::One(_) => format!("{tags} @> array[$4::int]"),
            Self::Expression(_) => format!("{tags} @@ $4::text::query_int"),
        }
    }
}

/// Where a sample looks, and at how many orderings there.
pub(crate) const PLACES: i64 = 8;
pub(crate) const WIDTH: i64 = 128;

/// Never served by the index over tags, which `coalesce` does not match: it would be read as a whole for
/// every page.
const WITHOUT_INDEX: &str = "coalesce(tags, '{}')";

/// The events behind $1 up to $2, at most $3, in their order, with the persistence id behind the columns of
/// an event; $4 are the tags. Served by `journal_ordering_btree_idx`.
pub(crate) fn walk(tags: Option<&TagFilter>) -> String {
    let fits = tags.map(|tags| format!("and {}", tags.fits(WITHOUT_INDEX)));
    window("persistence_id", &fits.unwrap_or_default())
}

/// The events behind $1 up to $2, at most $3, in their order, that fulfil a condition, with `more` behind the
/// columns of an event. Served by `journal_ordering_btree_idx`.
pub(crate) fn window(more: &str, fits: &str) -> String {
    format!(
        "select {}, {more} from journal \
         where ordering > $1 and ordering <= $2 {fits} and {} order by ordering limit $3",
        event_columns!(),
        not_deleted!()
    )
}

/// How many events fit of those in eight windows, $3 orderings each, of which the first begins behind $1 and
/// each other one $2 behind the one before. Served by `journal_ordering_btree_idx`.
pub(crate) fn sample(tags: Option<&TagFilter>) -> String {
    let fits = tags.map_or_else(|| "true".to_owned(), |tags| tags.fits(WITHOUT_INDEX));
    // The limit keeps each window a look of its own into the index.
    format!(
        "select count(*) filter (where fits) from generate_series(0::bigint, {PLACES} - 1) as nth \
         cross join lateral ( \
           select {fits} as fits from journal \
           where ordering > $1 + nth * $2 and ordering <= $1 + nth * $2 + $3 \
           order by ordering limit $3 \
         ) as event"
    )
}

/// Like [`walk`]. Served by `journal_tags_idx`, or by `journal_ordering_btree_idx` where the range is short.
pub(crate) fn find(tags: &TagFilter) -> String {
    window("persistence_id", &format!("and {}", tags.fits("tags")))
}

/// The orderings behind $1 up to $2, at most $3, of events whose tags are $4. Served by
/// `journal_tags_idx`, or by `journal_ordering_btree_idx` where the range is short. May give events below
/// a deletion mark, which are then left out of the rows.
pub(crate) fn places(tags: &TagFilter) -> String {
    format!(
        "select ordering from journal \
         where {} and ordering > $1 and ordering <= $2 and not deleted \
         order by ordering limit $3",
        tags.fits("tags")
    )
}
