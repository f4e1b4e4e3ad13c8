//! What a store can get wrong about which events, and which persistence ids, are meant.

use std::future::ready;

use annals_persistence::{
    EventEnvelope, IdSelection, Offset, PersistenceId, QueryError, QueryRef, Selection, Slice,
    SliceRange, Tag, TagExpression, TagTerm, Tail,
};
use futures::StreamExt;

use super::proxy::{Fault, Items};

/// Whether more is asked for than the events of tags.
pub(super) fn is_more_than_tags(which: &Selection) -> bool {
    which.tags().is_none()
        || which.entity_type().is_some()
        || which.slice_range() != SliceRange::ALL
}

/// What the store takes the selection for.
pub(super) fn misread(fault: Option<Fault>, which: &Selection, tail: Tail) -> Selection {
    match fault {
        Some(Fault::IgnoresNotLive) if tail == Tail::Live => respelt(
            which,
            &Spelling {
                not: |inner| inner,
                ..Spelling::RIGHT
            },
        ),
        Some(Fault::TakesOrForAnd) => respelt(
            which,
            &Spelling {
                any: |one, other| one & other,
                ..Spelling::RIGHT
            },
        ),
        Some(Fault::CutsLargeExpressions) => respelt(
            which,
            &Spelling {
                terms: 100,
                ..Spelling::RIGHT
            },
        ),
        Some(Fault::LooksAtNamedTagsOnly) => match which.tags() {
            Some(tags) => which.clone().tagged(tags.clone() & any_of(tags)),
            None => which.clone(),
        },
        Some(Fault::ForgetsTheRestBesideTags) => match which.tags() {
            Some(tags) => tags.clone().into(),
            None => which.clone(),
        },
        Some(Fault::IgnoresSlices | Fault::HashesBytes) => which.clone().within(SliceRange::ALL),
        Some(Fault::IgnoresTypes | Fault::TypeIsPrefix) => {
            let any_type = Selection::slices(which.slice_range());
            match which.tags() {
                Some(tags) => any_type.tagged(tags.clone()),
                None => any_type,
            }
        }
        _ => which.clone(),
    }
}

/// Whether the store gives an event of the selection as misread.
pub(super) fn is_kept(fault: Option<Fault>, which: &Selection, event: &EventEnvelope) -> bool {
    let (id, slices) = (&event.persistence_id, which.slice_range());
    match fault {
        Some(Fault::HashesBytes) => slices.contains(slice_of_bytes(id)),
        Some(Fault::LastSliceIsExclusive) => {
            slices == SliceRange::ALL || id.slice() < slices.last()
        }
        Some(Fault::TypeIsPrefix) => {
            let wanted = which.entity_type().unwrap_or_default();
            id.as_str().starts_with(wanted)
        }
        _ => true,
    }
}

/// A hash over the bytes of the text is that of the JVM for ASCII, and no other.
fn slice_of_bytes(id: &PersistenceId) -> Slice {
    let hash = id.as_str().bytes().fold(0_i32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(i32::from(byte))
    });
    let remainder = (hash % i32::from(Slice::COUNT)).unsigned_abs();
    Slice::new(remainder as u16).expect("a remainder is below the divisor")
}

/// The same with its tags in lower case, where those are other ones.
pub(super) fn in_lower_case(which: &Selection) -> Option<Selection> {
    let lower = |tag: &Tag| Tag::new(tag.as_str().to_lowercase()).expect("it stays a tag");
    let other = respelt(
        which,
        &Spelling {
            tag: &lower,
            ..Spelling::RIGHT
        },
    );
    (other != *which).then_some(other)
}

/// The same as it is for who takes a tag that is unknown now for one that nobody will ever carry.
pub(super) async fn without_unknown_tags(sound: &QueryRef, which: &Selection) -> Selection {
    let mut unknown: Vec<Tag> = Vec::new();
    for tag in which.tags().into_iter().flat_map(TagExpression::tags) {
        let mut current = sound.current_events(tag.clone(), Offset::start());
        if let Some(Err(QueryError::UnknownTag { .. })) = current.next().await {
            unknown.push(tag.clone());
        }
    }
    let nobodys = Tag::new("carried by nobody").expect("a tag");
    let known = |tag: &Tag| {
        let tag = if unknown.contains(tag) { &nobodys } else { tag };
        tag.clone()
    };
    respelt(
        which,
        &Spelling {
            tag: &known,
            ..Spelling::RIGHT
        },
    )
}

/// How an expression is written anew.
struct Spelling<'a> {
    tag: &'a dyn Fn(&Tag) -> Tag,
    not: fn(TagExpression) -> TagExpression,
    any: fn(TagExpression, TagExpression) -> TagExpression,
    /// Of a list not more than so many.
    terms: usize,
}

impl Spelling<'_> {
    const RIGHT: Self = Self {
        tag: &Tag::clone,
        not: |inner| !inner,
        any: |one, other| one | other,
        terms: usize::MAX,
    };

    fn of(&self, term: &TagTerm) -> TagExpression {
        let spelt = |terms: &[TagTerm]| -> Vec<TagExpression> {
            terms
                .iter()
                .take(self.terms)
                .map(|it| self.of(it))
                .collect()
        };
        let joined = match term {
            TagTerm::Tag(tag) => Some((self.tag)(tag).into()),
            TagTerm::Not(term) => Some((self.not)(self.of(term))),
            TagTerm::All(terms) => spelt(terms).into_iter().reduce(|one, other| one & other),
            TagTerm::Any(terms) => spelt(terms).into_iter().reduce(self.any),
        };
        joined.expect("a list has terms")
    }
}

fn respelt(which: &Selection, spelling: &Spelling<'_>) -> Selection {
    match which.tags() {
        Some(tags) => which.clone().tagged(spelling.of(tags.term())),
        None => which.clone(),
    }
}

fn any_of(tags: &TagExpression) -> TagExpression {
    let named = tags.tags().into_iter().cloned().map(TagExpression::from);
    named
        .reduce(|one, other| one | other)
        .expect("an expression names a tag")
}

/// Events until there are none among a thousand.
pub(super) fn until_nothing_belongs(
    after: Offset,
    items: Items<EventEnvelope>,
) -> Items<EventEnvelope> {
    items
        .scan(after.get(), |last, item| {
            // The store in memory counts offsets one by one.
            let here = item.as_ref().map_or(*last, |event| event.offset.get());
            let is_near = here - *last <= 1000;
            *last = here;
            ready(is_near.then_some(item))
        })
        .boxed()
}

/// Whether more is asked for than all ids.
pub(super) fn is_more_than_all(which: &IdSelection) -> bool {
    *which != IdSelection::all()
}

/// The ids that the store takes the selection for.
pub(super) fn misread_ids(
    fault: Option<Fault>,
    sound: &QueryRef,
    which: &IdSelection,
) -> Items<PersistenceId> {
    let of_type = match which.entity_type() {
        Some(entity_type) => IdSelection::of_type(entity_type),
        None => IdSelection::all(),
    };
    let limit = usize::try_from(which.limit()).unwrap_or(usize::MAX);
    let ids = |which: IdSelection| sound.selected_persistence_ids(which);
    let (after, wanted) = (which.after_id().cloned(), which.entity_type());
    match (fault, after) {
        (Some(Fault::IgnoresLimits), Some(after)) => ids(of_type.after(&after)).boxed(),
        (Some(Fault::IgnoresLimits), None) => ids(of_type).boxed(),
        (Some(Fault::IgnoresTypes), None) => ids(IdSelection::all()).take(limit).boxed(),
        (Some(Fault::TypeIsPrefix), None) => {
            let wanted = wanted.unwrap_or_default().to_owned();
            ids(IdSelection::all())
                .filter(move |id| ready(has(id, |id| id.as_str().starts_with(&wanted))))
                .take(limit)
                .boxed()
        }
        (Some(Fault::PagesAreInclusive), Some(after)) => ids(of_type)
            .skip_while(move |id| ready(has(id, |id| *id < after)))
            .take(limit)
            .boxed(),
        (Some(Fault::PagesBeginLate), Some(_)) => ids(which.clone()).skip(1).boxed(),
        (Some(Fault::NothingBehindStrangers), Some(after)) => ids(of_type)
            .skip_while(move |id| ready(has(id, |id| *id != after)))
            .skip(1)
            .take(limit)
            .boxed(),
        _ => ids(which.clone()).boxed(),
    }
}

fn has<T>(item: &Result<T, QueryError>, is_so: impl FnOnce(&T) -> bool) -> bool {
    item.as_ref().is_ok_and(is_so)
}
