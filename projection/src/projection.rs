use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use annals_persistence::{Offset, Selection, SliceRange};

use crate::group::{Grouping, Saving};
use crate::handler::{AnyEventHandler, AnyTransactionHandler};
use crate::lease::Lease;
use crate::{EventHandler, OnFailure, ProjectionError, ProjectionKey, TransactionHandler};

/// What to read, what to do about it, and how surely: made by one of [`Self::exactly_once`],
/// [`Self::at_least_once`] and [`Self::at_most_once`], started by
/// [`Projections::start`](crate::Projections::start).
#[derive(Clone)]
pub struct Projection {
    pub(crate) key: ProjectionKey,
    pub(crate) selection: Selection,
    pub(crate) delivery: Delivery,
    pub(crate) grouping: Grouping,
    pub(crate) saving: Saving,
    pub(crate) on_failure: OnFailure,
    pub(crate) ranges: u16,
    pub(crate) from: Offset,
    pub(crate) lease: Lease,
    pub(crate) patience: Duration,
}

/// How surely events are handled.
#[derive(Clone)]
pub(crate) enum Delivery {
    Exactly(Arc<dyn AnyTransactionHandler>),
    AtLeast(Arc<dyn AnyEventHandler>),
    AtMost(Arc<dyn AnyEventHandler>),
}

impl Projection {
    /// What the handler writes and the offset are one transaction: each event counts once, whatever
    /// breaks and whenever.
    pub fn exactly_once(
        name: impl Into<String>,
        which: impl Into<Selection>,
        handler: impl TransactionHandler,
    ) -> Self {
        Self::new(name, which, Delivery::Exactly(Arc::new(handler)))
    }

    /// The offset is saved after the handler, now and then: some events come again after a failure.
    pub fn at_least_once(
        name: impl Into<String>,
        which: impl Into<Selection>,
        handler: impl EventHandler,
    ) -> Self {
        Self::new(name, which, Delivery::AtLeast(Arc::new(handler)))
    }

    /// The offset is saved before the handler: after a failure some events were not handled. Nothing is
    /// tried again.
    pub fn at_most_once(
        name: impl Into<String>,
        which: impl Into<Selection>,
        handler: impl EventHandler,
    ) -> Self {
        Self::new(name, which, Delivery::AtMost(Arc::new(handler)))
    }

    fn new(name: impl Into<String>, which: impl Into<Selection>, delivery: Delivery) -> Self {
        Self {
            key: ProjectionKey::new(name, 1),
            selection: which.into(),
            delivery,
            grouping: Grouping {
                most: 1,
                within: Duration::ZERO,
            },
            saving: Saving {
                events: 100,
                within: Duration::from_millis(500),
            },
            on_failure: OnFailure::default(),
            ranges: 1,
            from: Offset::start(),
            lease: Lease::lasting(Duration::from_secs(5)),
            patience: Duration::from_secs(10),
        }
    }

    /// Which version of its results it builds, 1 unless this says otherwise. A new version begins from
    /// the first event, beside those that are there; see [`Control::switch`](crate::Control::switch).
    #[must_use]
    pub const fn version(mut self, version: i32) -> Self {
        self.key.version = version;
        self
    }

    /// Hands over up to `most` events at a time, and stores what they give in one transaction. What
    /// gathered while the last group was handled is the next one: nobody waits, unless
    /// [`Self::gathering_for`] says so.
    #[must_use]
    pub fn in_groups_of(mut self, most: usize) -> Self {
        self.grouping.most = most.max(1);
        self
    }

    /// How long the first event of a group waits for others.
    #[must_use]
    pub const fn gathering_for(mut self, within: Duration) -> Self {
        self.grouping.within = within;
        self
    }

    /// At least once: saves the offset after so many events, or so long after the first of them. After
    /// 100 or half a second unless this says otherwise.
    #[must_use]
    pub const fn saving_after(mut self, events: u64, within: Duration) -> Self {
        self.saving = Saving { events, within };
        self
    }

    /// What becomes of events that the handler fails on.
    #[must_use]
    pub const fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// Splits it by the slices of persistence ids into so many ranges (a power of two up to 1024), which
    /// all processes that run it share among themselves. The events of one persistence id stay in order.
    ///
    /// A version keeps its ranges for ever: choose some times as many as there will be processes. Each
    /// range takes a connection and a live query where it runs.
    #[must_use]
    pub const fn over_ranges(mut self, ranges: u16) -> Self {
        self.ranges = ranges;
        self
    }

    /// Where a version begins that has not run before.
    #[must_use]
    pub const fn starting_behind(mut self, offset: Offset) -> Self {
        self.from = offset;
        self
    }

    /// How long a process may be silent before the others take over its ranges, 5 s unless this says
    /// otherwise.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Lease::lasting(lease);
        self
    }

    /// How long one call of the handler may take, 10 s unless this says otherwise; after that it counts as
    /// failed. The server ends a transaction that idles for longer.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Its name and version.
    pub const fn key(&self) -> &ProjectionKey {
        &self.key
    }

    /// The ranges that it is to have.
    pub(crate) fn split(&self) -> Result<Vec<SliceRange>, ProjectionError> {
        if self.ranges > 1 && self.selection.slice_range() != SliceRange::ALL {
            return Err(ProjectionError::SlicesTwice {
                key: self.key.clone(),
            });
        }
        Ok(SliceRange::split(self.ranges)?)
    }

    /// What a range reads.
    pub(crate) fn within(&self, slices: SliceRange) -> Selection {
        match self.ranges {
            1 => self.selection.clone(),
            _ => self.selection.clone().within(slices),
        }
    }
}

impl fmt::Debug for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projection")
            .field("key", &self.key)
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}
