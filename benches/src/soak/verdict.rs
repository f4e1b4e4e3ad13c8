use std::fmt;

/// What one reader was given, compared with what it should have been given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) reader: String,
    pub(crate) expected: usize,
    pub(crate) missed: usize,
    pub(crate) doubled: usize,
    pub(crate) out_of_order: usize,
    /// It began again behind its last event so often.
    pub(crate) restarts: usize,
}

impl Verdict {
    /// `expected` ascends; `given` is in the order in which it was given.
    pub(crate) fn of(reader: &str, expected: &[i64], given: &[i64], restarts: usize) -> Self {
        let out_of_order = given.windows(2).filter(|pair| pair[1] < pair[0]).count();
        let mut sorted = given.to_vec();
        sorted.sort_unstable();
        let doubled = sorted.windows(2).filter(|pair| pair[0] == pair[1]).count();
        let missed = expected
            .iter()
            .filter(|offset| sorted.binary_search(offset).is_err())
            .count();
        Self {
            reader: reader.to_owned(),
            expected: expected.len(),
            missed,
            doubled,
            out_of_order,
            restarts,
        }
    }

    pub(crate) const fn add(&mut self, other: &Self) {
        self.missed += other.missed;
        self.doubled += other.doubled;
        self.out_of_order += other.out_of_order;
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<28} {:>9} events, missed {}, doubled {}, out of order {}, restarted {} times",
            self.reader, self.expected, self.missed, self.doubled, self.out_of_order, self.restarts
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_counted() {
        let verdict = Verdict::of("all", &[1, 2, 3, 4], &[1, 3, 2, 2], 5);
        let found = (verdict.missed, verdict.doubled, verdict.out_of_order);
        assert_eq!((found, verdict.restarts), ((1, 1, 1), 5));
        assert_eq!(
            Verdict::of("all", &[1, 2], &[1, 2], 0),
            Verdict {
                reader: "all".to_owned(),
                expected: 2,
                ..Verdict::default()
            }
        );
    }
}
