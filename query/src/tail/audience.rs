use std::collections::HashMap;
use std::sync::Arc;

use annals_persistence::{PersistenceId, Selection, Tag, TagTerm};

/// What a subscriber wants to hear of.
#[derive(Clone, Debug)]
pub(crate) enum Interest {
    /// Events of a selection.
    Events(Selection),
    /// Events of one persistence id from a sequence number on.
    History(PersistenceId, i64),
}

/// Who wants to hear of an event? Those who want one tag, or one persistence id, are found by it, so that a
/// thousand of them cost an event no more than one.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    interests: HashMap<u64, Interest>,
    by_tag: HashMap<Tag, Vec<u64>>,
    by_id: HashMap<PersistenceId, Vec<u64>>,
    others: Vec<u64>,
}

/// What of an event decides who wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) persistence_id: &'a PersistenceId,
    pub(crate) sequence_number: i64,
    pub(crate) tags: &'a [Arc<Tag>],
    pub(crate) is_deleted: bool,
}

impl Audience {
    pub(crate) fn add(&mut self, who: u64, interest: Interest) {
        self.list(&interest).push(who);
        self.interests.insert(who, interest);
    }

    pub(crate) fn remove(&mut self, who: u64) {
        let Some(interest) = self.interests.remove(&who) else {
            return;
        };
        let list = self.list(&interest);
        list.retain(|it| *it != who);
        if list.is_empty() {
            match sought(&interest) {
                Sought::Tag(tag) => drop(self.by_tag.remove(tag)),
                Sought::Id(id) => drop(self.by_id.remove(id)),
                Sought::Anything => {}
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.interests.len()
    }

    /// Each of them once.
    pub(crate) fn of<'a>(&'a self, subject: Subject<'a>) -> impl Iterator<Item = u64> + 'a {
        let by_id = self.by_id.get(subject.persistence_id).into_iter();
        // The tags of an event are each there once, and a subscriber is sought by one.
        let by_tag = subject
            .tags
            .iter()
            .filter_map(|tag| self.by_tag.get(&**tag));
        by_id
            .chain(by_tag)
            .flatten()
            .chain(&self.others)
            .copied()
            .filter(move |who| {
                self.interests
                    .get(who)
                    .is_some_and(|interest| interest.includes(subject))
            })
    }

    fn list(&mut self, interest: &Interest) -> &mut Vec<u64> {
        match sought(interest) {
            Sought::Tag(tag) => self.by_tag.entry(tag.clone()).or_default(),
            Sought::Id(id) => self.by_id.entry(id.clone()).or_default(),
            Sought::Anything => &mut self.others,
        }
    }
}

impl Interest {
    pub(crate) fn includes(&self, subject: Subject<'_>) -> bool {
        match self {
            Self::History(id, from) => {
                id == subject.persistence_id
                    && *from <= subject.sequence_number
                    && !subject.is_deleted
            }
            Self::Events(which) => {
                let carries = |tag: &Tag| subject.tags.iter().any(|it| **it == *tag);
                (which.includes_deleted() || !subject.is_deleted)
                    && which.includes(subject.persistence_id)
                    && which.tags().is_none_or(|tags| tags.matches(carries))
            }
        }
    }
}

/// What an event must have to be of interest, whatever else is asked of it.
enum Sought<'a> {
    Tag(&'a Tag),
    Id(&'a PersistenceId),
    Anything,
}

fn sought(interest: &Interest) -> Sought<'_> {
    match interest {
        Interest::History(id, _) => Sought::Id(id),
        Interest::Events(which) => match which.tags().and_then(|tags| needed(tags.term())) {
            Some(tag) => Sought::Tag(tag),
            None => Sought::Anything,
        },
    }
}

fn needed(term: &TagTerm) -> Option<&Tag> {
    match term {
        TagTerm::Tag(tag) => Some(tag),
        TagTerm::All(terms) => terms.iter().find_map(needed),
        TagTerm::Not(_) | TagTerm::Any(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use annals_persistence::SliceRange;
    use proptest::prelude::*;

    use super::*;

    fn interest() -> impl Strategy<Value = Interest> {
        prop_oneof![
            ("[ab]", 0..4_i64)
                .prop_map(|(id, from)| Interest::History(PersistenceId::parse(id).unwrap(), from)),
            "!?[xyz]( [&|] !?[xyz]){0,2}"
                .prop_map(|text| Interest::Events(Selection::all().tagged(tags(&text)))),
            (0..2_usize)
                .prop_map(|half| Interest::Events(SliceRange::split(2).unwrap()[half].into())),
            Just(Interest::Events(Selection::all().with_deleted())),
        ]
    }

    fn tags(text: &str) -> annals_persistence::TagExpression {
        text.parse().unwrap()
    }

    proptest! {
        #[test]
        fn they_are_those_who_are_interested_each_once(
            interests in prop::collection::vec((interest(), any::<bool>()), 0..20),
            id in "[abc]", number in 0..5_i64, x in any::<bool>(), y in any::<bool>(),
            is_deleted in any::<bool>(),
        ) {
            let carried: Vec<Arc<Tag>> = [("x", x), ("y", y)]
                .into_iter()
                .filter(|(_, is_there)| *is_there)
                .map(|(tag, _)| Arc::new(Tag::new(tag).unwrap()))
                .collect();
            let persistence_id = PersistenceId::parse(id).unwrap();
            let subject = Subject {
                persistence_id: &persistence_id,
                sequence_number: number,
                tags: &carried,
                is_deleted,
            };
            let mut audience = Audience::default();
            for (who, (interest, _)) in (0..).zip(&interests) {
                audience.add(who, interest.clone());
            }
            for (who, (_, stays)) in (0..).zip(&interests) {
                if !stays {
                    audience.remove(who);
                }
            }
            let mut of: Vec<u64> = audience.of(subject).collect();
            of.sort_unstable();
            let expected = (0..).zip(&interests).filter(|(_, (interest, stays))| *stays && interest.includes(subject));
            prop_assert_eq!(of, expected.map(|(who, _)| who).collect::<Vec<u64>>());
            let left = interests.iter().filter(|(_, stays)| *stays).count();
            prop_assert_eq!(audience.len(), left);
        }
    }
}
