//! The tables of schemas/common/projection.sql. Every statement goes as text and parameters in one
//! exchange, with no prepared statement, so that PgBouncer may give each another session.

mod control;
mod dead_letters;
mod failures;
mod leases;
mod offsets;
mod status;
mod versions;

pub(crate) use control::{forget, live, pause, reset, resume, skip, switch};
pub(crate) use dead_letters::{
    dead_letters, keep_letter, next_redrive, order_redrive, remove_letter,
};
pub(crate) use failures::{Setback, give_up, note_failure, note_trouble, stop_range};
pub(crate) use leases::{Beat, Taken, beat, leave, release, take};
pub(crate) use offsets::{Progress, save};
pub(crate) use status::status;
pub(crate) use versions::prepare;

use annals_persistence::SliceRange;
use tokio_postgres::types::{ToSql, Type};

use crate::ProjectionKey;

/// One range of a version.
#[derive(Clone, Debug)]
pub(crate) struct RangeKey {
    pub(crate) key: ProjectionKey,
    pub(crate) slices: SliceRange,
}

impl RangeKey {
    pub(crate) fn first(&self) -> i32 {
        self.slices.first().get().into()
    }
}

fn params_of(key: &ProjectionKey) -> [Param<'_>; 2] {
    [(&key.name, Type::TEXT), (&key.version, Type::INT4)]
}

pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);
