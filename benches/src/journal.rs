//! The journal beside the ceiling: everything that writes, and everything that recovers.

mod flat;
mod reads;
mod recover_many;
mod replay;

use crate::cases::Case;
pub(crate) use flat::ProtocolWriter;

/// Everything that has a bar, in the order in which it is printed.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = flat::cases();
    cases.push(replay::case());
    cases.extend(recover_many::cases());
    cases
}
