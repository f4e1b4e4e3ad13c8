//! The statements that read events of a selection.

use annals_rows::{event_columns, not_deleted};

/// How the tags that are wanted are told to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TagFilter {
    /// One, by its number.
    One(i32),
    /// In the language of intarray.
    Expression(String),
}

/// The events behind $1 up to $2, at most $3, in their order, with the persistence id behind the columns of
/// an event; $4 are the tags. Served by `journal_ordering_btree_idx`, and never by the index over tags,
/// which `coalesce` does not match: it would be read as a whole for every page.
pub(crate) fn walk(tags: Option<&TagFilter>) -> String {
    let fits = match tags {
        None => "",
        Some(TagFilter::One(_)) => "and coalesce(tags, '{}') @> array[$4::int]",
        Some(TagFilter::Expression(_)) => "and coalesce(tags, '{}') @@ $4::text::query_int",
    };
    window("persistence_id", fits)
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

/// The orderings behind $1 up to $2, at most $3, of events whose tags are $4. Served by
/// `journal_tags_idx`, or by `journal_ordering_btree_idx` where the range is short. May give events below
/// a deletion mark, which are then left out of the rows.
pub(crate) fn find(tags: &TagFilter) -> &'static str {
    match tags {
        TagFilter::One(_) => {
            "select ordering from journal \
             where tags @> array[$4::int] and ordering > $1 and ordering <= $2 and not deleted \
             order by ordering limit $3"
        }
        TagFilter::Expression(_) => {
            "select ordering from journal \
             where tags @@ $4::text::query_int and ordering > $1 and ordering <= $2 and not deleted \
             order by ordering limit $3"
        }
    }
}
