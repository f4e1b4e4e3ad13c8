//! Queries beside the same questions asked by hand.

mod ids;
mod live;
mod tags;

use crate::cases::Case;

/// Everything that has a bar; catching up by tag at so many millions of events.
pub(crate) fn cases(millions: &[u64]) -> Vec<Case> {
    let mut cases = live::cases();
    cases.push(ids::case());
    cases.extend(millions.iter().map(|millions| tags::case(*millions)));
    cases
}
