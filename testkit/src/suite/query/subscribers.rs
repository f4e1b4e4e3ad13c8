use annals_persistence::Offset;

use super::reading::{all, next, numbers, take};
use super::{JournalAndQueries, fresh_tag, store_tagged};
use crate::suite::fixture::fresh_id;

/// Two who ask for the same are given the same, one from the beginning, one that comes later.
pub async fn two_subscribers_are_given_the_same(stores: &JournalAndQueries) {
    let (tag, id) = (fresh_tag(), fresh_id());
    let mut one = stores.queries.events_by_tag(&tag, Offset::start());
    for number in 1..=5 {
        store_tagged(&stores.journal, &id, number, 1, &tag).await;
    }
    let mut two = stores.queries.events_by_tag(&tag, Offset::start());
    for number in 6..=10 {
        store_tagged(&stores.journal, &id, number, 1, &tag).await;
    }
    let (one, two) = (take(&mut one, 10).await, take(&mut two, 10).await);
    assert!(
        numbers(&one).into_iter().eq(1..=10),
        "the first subscriber was given {:?}",
        numbers(&one)
    );
    assert_eq!(one, two, "what the two subscribers were given");
}

/// Somebody who does not read is waited for by nobody, and finds everything when it reads on: what
/// was there, and what came in the meantime.
pub async fn slow_subscriber_holds_up_nobody_and_misses_nothing(stores: &JournalAndQueries) {
    let (tag, id) = (fresh_tag(), fresh_id());
    for first in (1..4000).step_by(500) {
        store_tagged(&stores.journal, &id, first, 500, &tag).await;
    }
    let mut slow = stores.queries.events_by_tag(&tag, Offset::start());
    assert_eq!(numbers(&[next(&mut slow).await]), [1], "{tag:?}");

    let mut quick = stores.queries.events_by_tag(&tag, Offset::start());
    let current = all(stores.queries.current_events_by_tag(&tag, Offset::start())).await;
    assert!(
        numbers(&current).into_iter().eq(1..=4000),
        "a current reader was given {} events",
        current.len()
    );
    for first in (4001..6000).step_by(500) {
        store_tagged(&stores.journal, &id, first, 500, &tag).await;
    }
    let read = take(&mut quick, 6000).await;
    assert!(
        numbers(&read).into_iter().eq(1..=6000),
        "a reader beside a slow one is given every event in order"
    );
    let rest = take(&mut slow, 5999).await;
    assert!(
        numbers(&rest).into_iter().eq(2..=6000),
        "the slow reader is given every event in order"
    );
}

/// Dropping a stream in its middle ends that one only.
pub async fn subscriber_that_goes_away_harms_nobody(stores: &JournalAndQueries) {
    let (tag, id) = (fresh_tag(), fresh_id());
    for first in (1..3000).step_by(500) {
        store_tagged(&stores.journal, &id, first, 500, &tag).await;
    }
    let mut stays = stores.queries.events_by_tag(&tag, Offset::start());
    for _ in 0..20 {
        let mut leaves = stores.queries.events_by_tag(&tag, Offset::start());
        assert_eq!(numbers(&[next(&mut leaves).await]), [1], "{tag:?}");
        drop(leaves);
        drop(stores.queries.current_events_by_tag(&tag, Offset::start()));
    }
    store_tagged(&stores.journal, &id, 3001, 1, &tag).await;
    let read = take(&mut stays, 3001).await;
    assert!(
        numbers(&read).into_iter().eq(1..=3001),
        "the reader that stays is given every event in order"
    );
}
