//! Which ranges a process runs: its share, by nothing but what all processes see alike.

use std::collections::BTreeSet;

/// A range as it stands in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    /// Its first slice, by which it is known.
    pub(crate) range: u16,
    /// Who holds it, if their lease has not run out.
    pub(crate) holder: Option<String>,
}

/// What a process should do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moves {
    pub(crate) take: Vec<u16>,
    pub(crate) release: Vec<u16>,
}

/// The shares differ by one at most, and the first members by name have the larger ones. Nobody takes
/// what somebody holds: who has too many lets go, and the others find it free.
pub(crate) fn moves(me: &str, members: &BTreeSet<String>, seats: &[Seat]) -> Moves {
    let Some(rank) = members.iter().position(|it| it == me) else {
        // Too late with the sign of life: the others have not counted on us.
        return Moves::default();
    };
    let share = seats.len() / members.len() + usize::from(rank < seats.len() % members.len());
    let of = |wanted: Option<&str>| {
        let seats = seats
            .iter()
            .filter(move |it| it.holder.as_deref() == wanted);
        seats.map(|it| it.range).collect::<Vec<_>>()
    };
    let mine = of(Some(me));
    let mut free = of(None);
    // Everybody begins elsewhere, so that not all reach for the same one.
    let begin = if free.is_empty() {
        0
    } else {
        rank * free.len() / members.len()
    };
    free.rotate_left(begin);
    Moves {
        take: free
            .into_iter()
            .take(share.saturating_sub(mine.len()))
            .collect(),
        release: mine.into_iter().skip(share).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step(members: &BTreeSet<String>, seats: &mut [Seat], order: &[usize]) {
        let names: Vec<&String> = members.iter().collect();
        let seen = seats.to_vec();
        for place in order {
            let me = names[place % names.len()];
            // Each saw the table before the others moved.
            let moves = moves(me, members, &seen);
            for seat in seats.iter_mut() {
                if moves.release.contains(&seat.range) && seat.holder.as_ref() == Some(me) {
                    seat.holder = None;
                } else if moves.take.contains(&seat.range) && seat.holder.is_none() {
                    seat.holder = Some(me.clone());
                }
            }
        }
    }

    fn names(count: usize) -> BTreeSet<String> {
        (0..count).map(|it| format!("m{it}")).collect()
    }

    proptest! {
        #[test]
        fn whoever_comes_or_goes_the_shares_are_even_in_the_end(
            ranges in 1_u16..40,
            populations in proptest::collection::vec(1_usize..9, 1..6),
            order in Just((0..9).collect::<Vec<usize>>()).prop_shuffle(),
        ) {
            let mut seats: Vec<Seat> = (0..ranges).map(|range| Seat { range, holder: None }).collect();
            for count in populations {
                let members = names(count);
                for seat in &mut seats {
                    seat.holder = seat.holder.take().filter(|it| members.contains(it));
                }
                for _ in 0..2 * usize::from(ranges) + 2 {
                    step(&members, &mut seats, &order);
                }
                let held = |name: &String| seats.iter().filter(|it| it.holder.as_ref() == Some(name)).count();
                let shares: Vec<usize> = members.iter().map(held).collect();
                prop_assert_eq!(shares.iter().sum::<usize>(), usize::from(ranges), "all are run");
                let (most, least) = (shares.iter().max().unwrap(), shares.iter().min().unwrap());
                prop_assert!(most - least <= 1, "{:?}", shares);
                for name in &members {
                    prop_assert_eq!(moves(name, &members, &seats), Moves::default(), "and stay");
                }
            }
        }

        #[test]
        fn nobody_takes_what_is_held_or_lets_go_of_what_is_not(
            holders in proptest::collection::vec(proptest::option::of(0_usize..4), 1..40),
            count in 1_usize..4,
        ) {
            let members = names(count);
            let seats: Vec<Seat> = (0..).zip(&holders).map(|(range, holder)| Seat {
                range,
                holder: holder.map(|it| format!("m{it}")),
            }).collect();
            for me in &members {
                let moves = moves(me, &members, &seats);
                let holder = |range: &u16| seats[usize::from(*range)].holder.as_ref();
                prop_assert!(moves.take.iter().all(|it| holder(it).is_none()));
                prop_assert!(moves.release.iter().all(|it| holder(it) == Some(me)));
                prop_assert!(moves.take.is_empty() || moves.release.is_empty());
            }
        }
    }

    #[test]
    fn one_who_is_thought_dead_takes_nothing() {
        let seats = [Seat {
            range: 0,
            holder: None,
        }];
        assert_eq!(moves("late", &names(1), &seats), Moves::default());
    }
}
