//! The arithmetic of ranges: which partitions are missing. Functions without I/O.

use std::ops::Range;

/// A partition that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) range: Range<i64>,
    /// Its number, where it is a whole one of the grid; the JVM plugin names it by that.
    pub(super) number: Option<i64>,
}

/// The partitions that `next` and what follows it need: the one of the grid that holds `next` and `ahead`
/// behind it, as far as `existing` ones do not hold them already.
pub(super) fn missing(existing: &[Range<i64>], next: i64, size: i64, ahead: u32) -> Vec<Missing> {
    let slot = next.div_euclid(size);
    (slot..=slot.saturating_add(i64::from(ahead)))
        .flat_map(|number| pieces(existing, number, size))
        .filter(|missing| missing.range.end > next || missing.range.end == i64::MAX)
        .collect()
}

/// Where the grid goes on behind the partition of `next`.
pub(super) const fn next_slot(next: i64, size: i64) -> i64 {
    next.div_euclid(size).saturating_add(1).saturating_mul(size)
}

/// How many partitions so many events fill, wherever they begin. Twice as many: what fails for want of a
/// partition has drawn its numbers, and draws others when it is sent again.
pub(super) fn partitions_of(events: u32, size: i64) -> u32 {
    let partitions = (2 * i64::from(events)).div_euclid(size.max(1));
    u32::try_from(partitions).unwrap_or(u32::MAX)
}

/// What `existing` leave of a slot of the grid.
fn pieces(existing: &[Range<i64>], number: i64, size: i64) -> Vec<Missing> {
    let slot = number.saturating_mul(size)..number.saturating_add(1).saturating_mul(size);
    let mut taken: Vec<&Range<i64>> = existing
        .iter()
        .filter(|it| it.start < slot.end && it.end > slot.start)
        .collect();
    taken.sort_unstable_by_key(|it| it.start);
    let number = taken.is_empty().then_some(number);
    let (mut pieces, mut from) = (Vec::new(), slot.start);
    for it in taken {
        pieces.push(from..it.start);
        from = from.max(it.end);
    }
    pieces.push(from..slot.end);
    pieces
        .into_iter()
        .filter(|range| !range.is_empty())
        .map(|range| Missing { range, number })
        .collect()
}

/// The range of a partition as the catalogue writes it; nothing where it is no range of whole numbers.
pub(super) fn parse_range(bound: &str) -> Option<Range<i64>> {
    let (from, to) = bound
        .strip_prefix("FOR VALUES FROM (")?
        .strip_suffix(')')?
        .split_once(") TO (")?;
    let number = |text: &str| match text {
        "MINVALUE" => Some(i64::MIN),
        "MAXVALUE" => Some(i64::MAX),
        quoted => quoted.trim_matches('\'').parse().ok(),
    };
    Some(number(from)?..number(to)?)
}

/// The values of a partition by list as the catalogue writes them; nothing where it is no such one.
pub(super) fn parse_list(bound: &str) -> Option<Vec<String>> {
    let mut rest = bound.strip_prefix("FOR VALUES IN (")?.strip_suffix(')')?;
    let mut values = Vec::new();
    loop {
        if let Some(behind) = rest.strip_prefix("NULL") {
            rest = behind;
        } else {
            let (value, behind) = parse_literal(rest)?;
            values.push(value);
            rest = behind;
        }
        match rest.strip_prefix(", ") {
            Some(next) => rest = next,
            None if rest.is_empty() => return Some(values),
            None => return None,
        }
    }
}

/// A literal at the beginning of `text`, and what stands behind it.
fn parse_literal(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('\'')?;
    let mut value = String::new();
    loop {
        let (piece, behind) = rest.split_once('\'')?;
        value.push_str(piece);
        let Some(next) = behind.strip_prefix('\'') else {
            return Some((value, behind));
        };
        value.push('\'');
        rest = next;
    }
}

/// Whether a history passes the middle of a partition with the numbers from `first` to `last`.
pub(super) fn passes_half(first: i64, last: i64, size: i64) -> bool {
    let halves = |number: i64| number.saturating_add(size / 2).div_euclid(size);
    halves(last) > halves(first.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use std::slice;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_new_journal_gets_the_partition_that_it_writes_to_and_those_ahead() {
        let whole = |number: i64| Missing {
            range: number * 100..(number + 1) * 100,
            number: Some(number),
        };
        assert_eq!(missing(&[], 1, 100, 2), [whole(0), whole(1), whole(2)]);
        assert_eq!(missing(&[0..100, 100..200], 57, 100, 2), [whole(2)]);
        assert_eq!(missing(&[0..100, 100..200], 57, 100, 1), []);
        assert_eq!(next_slot(57, 100), 100);
        assert_eq!(next_slot(100, 100), 200);
    }

    #[test]
    fn the_last_number_that_there_is_has_a_partition() {
        let last = i64::MAX / 100 * 100..i64::MAX;
        let missing = |existing: &[Range<i64>]| missing(existing, i64::MAX, 100, 0);
        assert_eq!(missing(&[])[0].range, last);
        assert_eq!(missing(slice::from_ref(&last)), []);
    }

    #[test]
    fn partitions_of_another_size_are_filled_up_around() {
        assert_eq!(
            missing(slice::from_ref(&(0..130)), 57, 100, 1),
            [Missing {
                range: 130..200,
                number: None
            }]
        );
        assert_eq!(missing(slice::from_ref(&(0..100_000)), 57, 100, 2), []);
    }

    #[test]
    fn bounds_are_read_as_the_catalogue_writes_them() {
        assert_eq!(
            parse_range("FOR VALUES FROM ('0') TO ('2000')"),
            Some(0..2000)
        );
        assert_eq!(
            parse_range("FOR VALUES FROM ('-5') TO (MAXVALUE)"),
            Some(-5..i64::MAX)
        );
        assert_eq!(
            parse_range("FOR VALUES FROM (MINVALUE) TO (7)"),
            Some(i64::MIN..7)
        );
        assert_eq!(parse_range("DEFAULT"), None);
        assert_eq!(parse_range("FOR VALUES IN ('a')"), None);
    }

    #[test]
    fn lists_are_read_as_the_catalogue_writes_them() {
        let values = |bound: &str| parse_list(&format!("FOR VALUES IN ({bound})"));
        assert_eq!(
            values(r"'a', 'b''c', NULL, ', ''', '\'"),
            Some(["a", "b'c", ", '", "\\"].map(str::to_owned).to_vec())
        );
        assert_eq!(values("NULL"), Some(vec![]));
        assert_eq!(values("'open"), None);
        assert_eq!(values("1, 2"), None);
        assert_eq!(parse_list("DEFAULT"), None);
    }

    #[test]
    fn each_partition_has_one_middle() {
        let passes = |first, last| passes_half(first, last, 100);
        assert!(!passes(1, 49) && passes(1, 50) && passes(50, 50) && !passes(51, 149));
        assert!(passes(40, 160) && passes(150, 150));
        assert!(!passes_half(i64::MAX - 1, i64::MAX, 100));
    }

    proptest! {
        /// Whatever is there: afterwards each number up to `ahead` whole partitions on has exactly one.
        #[test]
        fn every_number_ahead_has_one_partition(
            edges in prop::collection::btree_set(0..400_i64, 0..12),
            next in 1..300_i64,
            size in 1..60_i64,
            ahead in 0..4_u32,
        ) {
            let edges: Vec<i64> = edges.into_iter().collect();
            let existing: Vec<Range<i64>> =
                edges.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect();
            let missing = missing(&existing, next, size, ahead);
            let all: Vec<Range<i64>> =
                existing.iter().cloned().chain(missing.iter().map(|it| it.range.clone())).collect();
            let end = (next / size + i64::from(ahead) + 1) * size;
            for number in next..end {
                let holders = all.iter().filter(|it| it.contains(&number)).count();
                prop_assert_eq!(holders, 1, "{} in {:?}", number, all);
            }
            for it in &missing {
                if let Some(number) = it.number {
                    prop_assert_eq!(it.range.clone(), number * size..(number + 1) * size);
                }
            }
        }
    }
}
