/// How many rows are asked for at a time, so that a page takes about as much room whatever the size of
/// its events.
#[derive(Debug)]
pub(crate) struct PageSize {
    rows: usize,
}

/// Of a page.
const BYTES: usize = 1024 * 1024;

/// Nothing is known of the first events.
const FIRST: usize = 200;

/// More would keep the first of them waiting for the last.
const MOST: usize = 2000;

impl PageSize {
    pub(crate) const fn new() -> Self {
        Self { rows: FIRST }
    }

    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// Takes what a page of so many rows held.
    pub(crate) fn learn(&mut self, rows: usize, bytes: usize) {
        if let Some(bytes_a_row) = bytes.checked_div(rows) {
            let of_that_size = BYTES / bytes_a_row.max(1);
            // Twice as many at once: a few small events say little of those behind them.
            self.rows = of_that_size.clamp(1, MOST).min(2 * self.rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_events_come_in_long_pages_and_large_ones_in_short_ones() {
        let mut size = PageSize::new();
        let mut sizes = Vec::new();
        for bytes in [100, 100, 100, 100, 10_000, 10_000_000, 0] {
            size.learn(10, 10 * bytes);
            sizes.push(size.rows());
        }
        assert_eq!(sizes, [400, 800, 1600, 2000, 104, 1, 2]);
        size.learn(0, 0);
        assert_eq!(size.rows(), 2);
    }
}
