//! The statements that read events of a selection.

use annals_rows::{event_columns, not_deleted};
use tokio_postgres::types::ToSql;

/// What is asked of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) tags: Option<TagFilter>,
    /// Whether events that are deleted belong to it, too.
    pub(crate) with_deleted: bool,
}

/// How the tags that are wanted are told to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TagFilter {
    /// One, by its number.
    One(i32),
    /// In the language of intarray.
    Expression(String),
}

/// Where a sample looks, and at how many orderings there.
pub(crate) const PLACES: i64 = 8;
pub(crate) const WIDTH: i64 = 128;

/// Never served by the index over tags, which `coalesce` does not match: it would be read as a whole for
/// every page.
const WITHOUT_INDEX: &str = "coalesce(tags, '{}')";

impl Wanted {
    /// The events behind $1 up to $2, at most $3, in their order, with the persistence id behind the columns
    /// of an event; $4 are the tags. Served by `journal_ordering_btree_idx`.
    pub(crate) fn walk(&self) -> String {
        self.between(WITHOUT_INDEX)
    }

    /// The same. Served by `journal_tags_idx`, or by `journal_ordering_btree_idx` where the range is short.
    pub(crate) fn find(&self) -> String {
        self.between("tags")
    }

    /// How many events fit of those in eight windows, $3 orderings each, of which the first begins behind $1
    /// and each other one $2 behind the one before. Served by `journal_ordering_btree_idx`.
    pub(crate) fn sample(&self) -> String {
        let fits = self.fits(WITHOUT_INDEX);
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

    /// The orderings behind $1 up to $2, at most $3, of events whose tags are $4. Served by
    /// `journal_tags_idx`, or by `journal_ordering_btree_idx` where the range is short. May give events
    /// that are deleted, which are then left out of the rows.
    pub(crate) fn places(&self) -> String {
        format!(
            "select ordering from journal \
             where {} and ordering > $1 and ordering <= $2 \
             order by ordering limit $3",
            self.fits("tags")
        )
    }

    /// The events with the orderings $1, with their columns as in [`Self::walk`]. Served by
    /// `journal_ordering_btree_idx`.
    pub(crate) fn fetch(&self) -> String {
        format!(
            "select {}, persistence_id from journal \
             where ordering = any($1) and {} order by ordering",
            event_columns!(),
            self.is_there()
        )
    }

    /// What $4 is.
    pub(crate) fn tags(&self) -> Option<&(dyn ToSql + Sync)> {
        self.tags.as_ref().map(|tags| match tags {
            TagFilter::One(number) => number as &(dyn ToSql + Sync),
            TagFilter::Expression(expression) => expression,
        })
    }

    fn between(&self, tags: &str) -> String {
        format!(
            "select {}, persistence_id from journal \
             where ordering > $1 and ordering <= $2 and {} and {} order by ordering limit $3",
            event_columns!(),
            self.fits(tags),
            self.is_there()
        )
    }

    /// Holds for rows whose tags, as SQL names them, are wanted.
    fn fits(&self, tags: &str) -> String {
        match self.tags {
            None => "true".to_owned(),
            Some(TagFilter::One(_)) => format!("{tags} @> array[$4::int]"),
            Some(TagFilter::Expression(_)) => format!("{tags} @@ $4::text::query_int"),
        }
    }

    const fn is_there(&self) -> &'static str {
        if self.with_deleted {
            "true"
        } else {
            not_deleted!()
        }
    }
}
