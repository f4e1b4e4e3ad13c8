//! The journal beside the ceiling: everything that writes.

mod flat;

use crate::cases::Case;
pub(crate) use flat::ProtocolWriter;

/// Everything that has a bar, in the order in which it is printed.
pub(crate) fn cases() -> Vec<Case> {
    flat::cases()
}
