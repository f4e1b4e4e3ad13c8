use std::fmt;

use uuid::Uuid;

/// One incarnation of a writer. An entity draws a new one each time it starts, so that
/// (persistence id, sequence number, writer) names one write and no other: with it a write whose
/// reply was lost is looked up instead of guessed, and a history that two writers mixed can be told
/// apart.
///
/// Who writes to a journal without an entity draws a new one after a conflict: a history in which
/// two writers take turns under the same names is cut short by the replay filter of the JVM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WriterId(Uuid);

impl WriterId {
    /// A writer that was never there before.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The writer of this id.
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for WriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}
