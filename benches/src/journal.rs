//! The journal beside the ceiling: everything that writes, and everything that recovers.

mod entities;
mod flat;
mod import;
mod latency;
mod layouts;
pub(crate) mod processes;
mod protocol;
mod reads;
mod recover_many;
mod replay;
mod stall;

use crate::cases::Case;
pub(crate) use protocol::{ProtocolWriter, highest};

/// Everything that has a bar, in the order in which it is printed.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = flat::cases();
    cases.push(replay::case());
    cases.extend(recover_many::cases());
    cases.extend(entities::cases());
    cases.extend(latency::cases());
    cases.extend(processes::cases());
    cases.extend(layouts::cases());
    cases.push(stall::case());
    cases.extend(import::cases());
    cases
}
