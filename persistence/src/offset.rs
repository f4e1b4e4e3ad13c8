use std::fmt;

/// The place of an event among all events of a journal, whatever their persistence id: the value of
/// the row's `ordering`.
///
/// A reader keeps the offset of the last event that it has dealt with and asks for what lies behind
/// it. Offsets grow, with holes where a write was rolled back; they say nothing about time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(i64);

impl Offset {
    /// Before the first event.
    pub const fn start() -> Self {
        Self(0)
    }

    /// The offset whose row has this `ordering`.
    pub const fn new(ordering: i64) -> Self {
        Self(ordering)
    }

    /// As the row holds it.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
