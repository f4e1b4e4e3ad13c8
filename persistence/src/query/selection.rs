use crate::{PersistenceId, SliceRange, Tag, TagExpression};

/// Which events a query gives; all that is said must hold.
///
/// ```
/// use annals_persistence::{Selection, SliceRange, Tag};
///
/// let quarter = SliceRange::split(4)?[0];
/// let which = Selection::slices(quarter).of_type("Flight").tagged(Tag::new("carrier:UA")?);
/// assert_eq!(which.entity_type(), Some("Flight"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    tags: Option<TagExpression>,
    entity_type: Option<String>,
    slices: SliceRange,
    deleted: bool,
    without_detached: bool,
}

impl Selection {
    /// Every event.
    pub const fn all() -> Self {
        Self::slices(SliceRange::ALL)
    }

    /// Those whose persistence ids lie in these slices.
    pub const fn slices(slices: SliceRange) -> Self {
        Self {
            tags: None,
            entity_type: None,
            slices,
            deleted: false,
            without_detached: false,
        }
    }

    /// Only those whose tags belong to `tags`, a tag or an expression.
    #[must_use]
    pub fn tagged(mut self, tags: impl Into<TagExpression>) -> Self {
        self.tags = Some(tags.into());
        self
    }

    /// Only those of the persistence ids of an entity type: what stands before the first `|`.
    #[must_use]
    pub fn of_type(mut self, entity_type: impl Into<String>) -> Self {
        self.entity_type = Some(entity_type.into());
        self
    }

    /// Only those of persistence ids that lie in `slices`.
    #[must_use]
    pub const fn within(mut self, slices: SliceRange) -> Self {
        self.slices = slices;
        self
    }

    /// Also those that are deleted and whose rows are still there: for an audit, or to see what a delete has
    /// taken. Without it deleted events are passed over.
    ///
    /// A store in memory removes at once what is deleted.
    #[must_use]
    pub const fn with_deleted(mut self) -> Self {
        self.deleted = true;
        self
    }

    /// Whether deleted events are among them.
    pub const fn includes_deleted(&self) -> bool {
        self.deleted
    }

    /// Only those that are still in the journal: partitions that were taken out of it are passed over. Without
    /// it a query that wants events of such a partition fails with
    /// [`QueryError::Detached`](crate::QueryError::Detached).
    #[must_use]
    pub const fn without_detached(mut self) -> Self {
        self.without_detached = true;
        self
    }

    /// Whether it does without what was taken out of the journal.
    pub const fn passes_over_detached(&self) -> bool {
        self.without_detached
    }

    /// What their tags belong to, if that matters.
    pub const fn tags(&self) -> Option<&TagExpression> {
        self.tags.as_ref()
    }

    /// Whose type they have, if that matters.
    pub fn entity_type(&self) -> Option<&str> {
        self.entity_type.as_deref()
    }

    /// In which slices their persistence ids lie.
    pub const fn slice_range(&self) -> SliceRange {
        self.slices
    }

    /// Whether events of this persistence id may be among them, whatever their tags.
    pub fn includes(&self, persistence_id: &PersistenceId) -> bool {
        let of_type = |wanted: &str| persistence_id.entity_type() == wanted;
        self.entity_type.as_deref().is_none_or(of_type)
            && (self.slices == SliceRange::ALL || self.slices.contains(persistence_id.slice()))
    }

    /// Whether every event is among them.
    pub fn is_all(&self) -> bool {
        *self == Self::all()
    }
}

impl From<SliceRange> for Selection {
    fn from(slices: SliceRange) -> Self {
        Self::slices(slices)
    }
}

impl From<Tag> for Selection {
    fn from(tag: Tag) -> Self {
        Self::all().tagged(tag)
    }
}

impl From<TagExpression> for Selection {
    fn from(tags: TagExpression) -> Self {
        Self::all().tagged(tags)
    }
}

/// Which persistence ids a query gives, in the order in which the store keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdSelection {
    entity_type: Option<String>,
    after: Option<PersistenceId>,
    limit: Option<u64>,
}

impl IdSelection {
    /// Every one.
    pub const fn all() -> Self {
        Self {
            entity_type: None,
            after: None,
            limit: None,
        }
    }

    /// Those of an entity type: what stands before the first `|`.
    pub fn of_type(entity_type: impl Into<String>) -> Self {
        Self {
            entity_type: Some(entity_type.into()),
            ..Self::all()
        }
    }

    /// Only those that the store gives behind `id`, which need not be there itself.
    #[must_use]
    pub fn after(mut self, id: &PersistenceId) -> Self {
        self.after = Some(id.clone());
        self
    }

    /// Not more than so many.
    #[must_use]
    pub const fn at_most(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Whose type they have, if that matters.
    pub fn entity_type(&self) -> Option<&str> {
        self.entity_type.as_deref()
    }

    /// Behind which one they lie, if that matters.
    pub const fn after_id(&self) -> Option<&PersistenceId> {
        self.after.as_ref()
    }

    /// How many there may be.
    pub fn limit(&self) -> u64 {
        self.limit.unwrap_or(u64::MAX)
    }

    /// Whether the id is of the type that is wanted.
    pub fn includes(&self, id: &PersistenceId) -> bool {
        self.entity_type
            .as_deref()
            .is_none_or(|wanted| id.entity_type() == wanted)
    }
}
