//! Content by chance, the same in each run but for the names.

use annals_persistence::{PersistenceId, Tag, TagExpression, Tags, WriterId};

use super::model::{Tagged, Writers};

/// Tags that no event has carried before.
pub(super) fn fresh_tags<const COUNT: usize>() -> [Tag; COUNT] {
    let unique = WriterId::random();
    std::array::from_fn(|place| {
        Tag::new(format!("suite {unique} {place}")).expect("a uuid makes a tag")
    })
}

/// All of them on one event.
pub(super) fn together<'a>(tags: impl IntoIterator<Item = &'a Tag>) -> Tags {
    Tags::of(tags.into_iter().map(Tag::as_str)).expect("a tag is one")
}

/// So many writes of one to three events for each, with some of the tags or none. The very first event
/// has all of them, so that none is unknown.
pub(super) fn random_writers(
    random: &mut fastrand::Rng,
    ids: &[PersistenceId],
    writes: usize,
    tags: &[Tag],
) -> Writers {
    let mut writers: Writers = ids
        .iter()
        .map(|id| random_writes(random, id, writes, tags))
        .collect();
    writers[0][0].tags[0] = together(tags);
    writers
}

fn random_writes(
    random: &mut fastrand::Rng,
    id: &PersistenceId,
    writes: usize,
    tags: &[Tag],
) -> Vec<Tagged> {
    let (writer, mut first) = (WriterId::random(), 1);
    let mut one = || {
        let events = random.usize(1..=3);
        let write = Tagged {
            persistence_id: id.clone(),
            writer,
            first,
            tags: (0..events).map(|_| random_tags(random, tags)).collect(),
        };
        first += events as i64;
        write
    };
    (0..writes).map(|_| one()).collect()
}

fn random_tags(random: &mut fastrand::Rng, tags: &[Tag]) -> Tags {
    together(tags.iter().filter(|_| random.u8(0..3) == 0))
}

/// Over some of the tags, not deeper than `depth` operators.
pub(super) fn random_expression(
    random: &mut fastrand::Rng,
    tags: &[Tag],
    depth: usize,
) -> TagExpression {
    let kind = if depth == 0 { 0 } else { random.u8(0..8) };
    let mut inner = || random_expression(random, tags, depth - 1);
    match kind {
        0 => tags[random.usize(..tags.len())].clone().into(),
        1 | 2 => !inner(),
        3..=5 => inner() & inner(),
        _ => inner() | inner(),
    }
}
