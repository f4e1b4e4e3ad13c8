use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Stands in for writers that draw a number before the statement begins that writes it: until then they
/// hold no lock, and nobody can say who they are. The JVM plugin does that where the journal is divided
/// by ordering. Whoever has drawn a number before a look counts as its holder until so much time has
/// passed behind the look.
#[derive(Debug)]
pub(crate) struct Early {
    patience: Duration,
    looks: VecDeque<(u64, Instant)>,
    next: u64,
}

impl Early {
    /// Nobody where `patience` is zero.
    pub(crate) const fn new(patience: Duration) -> Self {
        Self {
            patience,
            looks: VecDeque::new(),
            next: 0,
        }
    }

    /// A look at the holders: the names of all looks that are not old enough, this one among them.
    pub(crate) fn look(&mut self, now: Instant) -> impl Iterator<Item = String> {
        if !self.patience.is_zero() {
            self.looks.push_back((self.next, now));
            self.next += 1;
        }
        let patience = self.patience;
        self.looks.retain(|(_, then)| now - *then < patience);
        self.looks.iter().map(|(look, _)| format!("early {look}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::horizon::Horizon;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_gap_stays_open_for_so_long_and_no_longer() {
        let (mut horizon, mut early) = (Horizon::new(), Early::new(5 * SECOND));
        let begin = Instant::now();
        let mut settled = Vec::new();
        for second in 0..=6 {
            let beyond = horizon.see([1, 3].into_iter().filter(|it| *it > 1 || second == 0));
            horizon.hold(beyond, &early.look(begin + second * SECOND).collect());
            settled.push(horizon.settled());
        }
        assert_eq!(settled, [1, 1, 1, 1, 1, 3, 3]);
    }

    #[test]
    fn a_number_that_comes_in_time_is_not_passed_over() {
        let (mut horizon, mut early) = (Horizon::new(), Early::new(5 * SECOND));
        let begin = Instant::now();
        let beyond = horizon.see([1, 3]);
        horizon.hold(beyond, &early.look(begin).collect());
        let beyond = horizon.see([3]);
        horizon.hold(beyond, &early.look(begin + 4 * SECOND).collect());
        assert_eq!(horizon.settled(), 1);
        assert_eq!(horizon.see([2, 3]), None);
        assert_eq!(horizon.settled(), 3);
    }

    #[test]
    fn without_patience_there_is_nobody() {
        assert_eq!(Early::new(Duration::ZERO).look(Instant::now()).count(), 0);
    }
}
