//! The gate looks at nothing but the first and the last number of a persistence id and how many there are.
//! So what goes through it together must follow one another: a function without I/O.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use annals_persistence::PersistenceId;

/// Something that takes sequence numbers of a persistence id.
pub(super) trait Numbered {
    fn persistence_id(&self) -> &PersistenceId;

    fn numbers(&self) -> RangeInclusive<i64>;
}

/// Cuts a batch, in its order, wherever a write does not follow the one before it of its persistence id.
pub(super) fn runs<W: Numbered>(batch: Vec<W>) -> Vec<Vec<W>> {
    let mut cuts = Vec::new();
    let mut last = HashMap::new();
    for (place, write) in batch.iter().enumerate() {
        let numbers = write.numbers();
        let before = last.insert(write.persistence_id(), *numbers.end());
        if before.is_some_and(|before| before + 1 != *numbers.start()) {
            cuts.push(place);
            last.clear();
            last.insert(write.persistence_id(), *numbers.end());
        }
    }
    let mut rest = batch;
    let mut runs: Vec<Vec<W>> = Vec::with_capacity(cuts.len() + 1);
    for cut in cuts.into_iter().rev() {
        runs.push(rest.split_off(cut));
    }
    runs.push(rest);
    runs.reverse();
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Write(PersistenceId, RangeInclusive<i64>);

    impl Numbered for Write {
        fn persistence_id(&self) -> &PersistenceId {
            &self.0
        }

        fn numbers(&self) -> RangeInclusive<i64> {
            self.1.clone()
        }
    }

    fn write(id: &str, numbers: RangeInclusive<i64>) -> Write {
        Write(PersistenceId::parse(id).unwrap(), numbers)
    }

    #[test]
    fn a_batch_of_writes_that_follow_one_another_stays_whole() {
        let batch = vec![write("a", 1..=3), write("b", 7..=7), write("a", 4..=4)];
        assert_eq!(runs(batch.clone()), [batch]);
        assert_eq!(runs(Vec::<Write>::new()), [vec![]]);
    }

    #[test]
    fn a_number_that_comes_again_and_a_hole_that_makes_up_for_it_do_not_go_together() {
        let batch = vec![write("a", 1..=1), write("a", 1..=1), write("a", 3..=3)];
        assert_eq!(runs(batch.clone()), batch.chunks(1).collect::<Vec<_>>());
    }

    proptest! {
        /// Whatever is sent: nothing is lost or moved, and in each run the numbers of an id are as many
        /// as lie between its first and its last.
        #[test]
        fn in_each_run_the_numbers_of_an_id_have_neither_hole_nor_double(
            sent in prop::collection::vec((0..3_u8, 1..6_i64, 0..3_i64), 0..20),
        ) {
            let batch: Vec<Write> = sent
                .iter()
                .map(|(id, first, more)| write(&id.to_string(), *first..=first + more))
                .collect();
            let runs = runs(batch.clone());
            prop_assert_eq!(runs.concat(), batch);
            for run in runs {
                let mut taken: HashMap<_, Vec<i64>> = HashMap::new();
                for write in run {
                    taken.entry(write.0).or_default().extend(write.1);
                }
                for numbers in taken.into_values() {
                    let all: Vec<i64> = (numbers[0]..).take(numbers.len()).collect();
                    prop_assert_eq!(numbers, all);
                }
            }
        }
    }
}
