use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A thread that only sleeps, and notes when it woke late: then neither a lock nor the disk held anybody up, but
/// the processors were taken, or the machine stood still.
pub(super) struct Pulse {
    late: Arc<Mutex<Vec<(Instant, Duration)>>>,
    stop: Arc<AtomicBool>,
}

const EVERY: Duration = Duration::from_millis(1);

/// Less is usual.
const LATE: Duration = Duration::from_millis(4);

impl Pulse {
    pub(super) fn start() -> Self {
        let late = Arc::<Mutex<Vec<_>>>::default();
        let stop = Arc::<AtomicBool>::default();
        let (notes, ends) = (Arc::clone(&late), Arc::clone(&stop));
        thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let begin = Instant::now();
                thread::sleep(EVERY);
                let took = begin.elapsed();
                if took > LATE {
                    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
                    notes.push((begin, took));
                }
            }
        });
        Self { late, stop }
    }

    /// How long it slept at most between two moments, in place of a millisecond.
    pub(super) fn latest(&self, begin: Instant, end: Instant) -> Duration {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.iter()
            .filter(|(slept, took)| *slept < end && *slept + *took > begin)
            .map(|(_, took)| *took)
            .max()
            .unwrap_or_default()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
