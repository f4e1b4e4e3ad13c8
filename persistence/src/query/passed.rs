use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::Offset;

/// How far a query over many persistence ids has come, whether or not there was anything to give: shared by
/// the query, which moves it, and by the stream of its reader.
#[derive(Clone, Debug, Default)]
pub struct Passed(Arc<AtomicI64>);

impl Passed {
    /// Says that all that is selected up to `offset` has been put into the sink. It never goes back.
    pub fn set(&self, offset: Offset) {
        // Behind the sink: who sees the offset sees what was put there before.
        self.0.fetch_max(offset.get(), Ordering::Release);
    }

    /// Up to which offset everything has been put into the sink.
    pub fn get(&self) -> Offset {
        Offset::new(self.0.load(Ordering::Acquire))
    }
}
