use crate::{JournalShape, Layout, MetadataKeeper};

/// What `journal_metadata` says of where in the journal the events of a persistence id lie, as far as a
/// reader may rely on it. In the layout by ordering the server passes over all partitions outside.
///
/// The conditions stand so that the server leaves out partitions, but does not read the others by their
/// index on `ordering`, in which the events of all persistence ids are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Nothing, or nothing that would be of use: another layout.
    Unknown,
    /// Where they begin. Events may lie behind the last one that it knows: somebody may have written in the
    /// past who did not keep it.
    From,
    /// Where they begin and where they end.
    FromTo,
}

impl JournalShape {
    /// What a reader may rely on.
    pub const fn extent(&self) -> Extent {
        match (self.layout, self.metadata) {
            (Layout::Flat | Layout::Nested, _) => Extent::Unknown,
            (Layout::Ordering, MetadataKeeper::Writers) if self.metadata_complete => Extent::FromTo,
            (Layout::Ordering, _) => Extent::From,
        }
    }
}

impl Extent {
    /// Puts the metadata of the persistence id `id` beside it in a `from`, as `known`: by one look-up each,
    /// in the order of what stands before.
    pub fn join(self, id: &str) -> String {
        match self {
            Self::Unknown => String::new(),
            // Without `offset 0` the server may join the tables as a whole, in any order.
            Self::From | Self::FromTo => format!(
                "left join lateral ( \
                   select min_ordering, max_ordering, max_sequence_number \
                   from journal_metadata where persistence_id = {id} offset 0 \
                 ) as known on true"
            ),
        }
    }

    /// The columns of `known` that the conditions need, to be handed on by a subquery.
    pub const fn columns(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::From | Self::FromTo => {
                ", known.min_ordering, known.max_ordering, known.max_sequence_number"
            }
        }
    }

    /// A condition for rows of `journal`, to be added to others. A persistence id that has no metadata may
    /// have events anywhere.
    pub fn within(self, known: &str) -> String {
        let from = format!("and ordering >= coalesce({known}.min_ordering, -1)");
        match self {
            Self::Unknown => String::new(),
            Self::From => from,
            // Beside the beginning, a plain `<=` is taken for a range of which the server thinks that one event
            // in two hundred lies in it, and that it reads off the index (docs/recovery.md).
            Self::FromTo => format!(
                "{from} and ordering <= any (array[coalesce({known}.max_ordering, 9223372036854775807)])"
            ),
        }
    }

    /// The highest sequence number of the persistence id `id`, those whose events are gone included.
    pub fn highest(self, known: &str, id: &str) -> String {
        let newest = |beyond: &str| {
            format!(
                "(select sequence_number from journal where persistence_id = {id} {beyond} \
                 order by sequence_number desc limit 1)"
            )
        };
        match self {
            Self::Unknown => newest(""),
            Self::From => {
                let beyond = format!("and ordering > coalesce({known}.max_ordering, -1)");
                let newest = newest(&beyond);
                format!("greatest({known}.max_sequence_number, {newest})")
            }
            Self::FromTo => {
                let newest = newest("");
                format!("coalesce({known}.max_sequence_number, {newest})")
            }
        }
    }
}
