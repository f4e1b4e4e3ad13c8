use annals_persistence::{
    EventEnvelope, Offset, PersistenceId, QueryError, Selection, Tag, TagExpression, Tags, WriterId,
};

use super::by_tag::odd_tags;
use super::model::{Model, Tagged, Writers, expect_given, here, only, write_all};
use super::random::{fresh_tags, random_expression, random_writers, together};
use super::reading::{all, error, expect_waiting, next, numbers, take};
use super::{JournalAndQueries, fresh_tag, store_tagged, tagged};
use crate::suite::fixture::{delete, fresh_id, store};

/// Whether an event belongs to an expression, by whether it carries each of three tags.
type OfThree = fn(bool, bool, bool) -> bool;

/// Each operator alone and with others, on events with every choice of three tags.
pub async fn and_or_not_and_parentheses_choose_events(stores: &JournalAndQueries) {
    let (start, id) = (here(stores).await, fresh_id());
    let tags: [Tag; 3] = fresh_tags();
    let has = |number: i64, place: usize| (number - 1) & (1 << place) != 0;
    for number in 1..=8 {
        let some = (0..3).filter(|place| has(number, *place));
        let some: Vec<&str> = some.map(|place| tags[place].as_str()).collect();
        store(
            &stores.journal,
            tagged(&id, WriterId::random(), number, 1, &some),
        )
        .await;
    }
    let expressions: [(&str, OfThree); 20] = [
        ("A", |a, _, _| a),
        ("!A", |a, _, _| !a),
        ("!!A", |a, _, _| a),
        ("A & B", |a, b, _| a && b),
        ("A | B", |a, b, _| a || b),
        ("A & !B", |a, b, _| a && !b),
        ("A | !B", |a, b, _| a || !b),
        ("!A & !B", |a, b, _| !a && !b),
        ("!A | !B", |a, b, _| !a || !b),
        ("!(A & B)", |a, b, _| !(a && b)),
        ("!(A | B)", |a, b, _| !(a || b)),
        ("A | B & C", |a, b, c| a || (b && c)),
        ("A & B | C", |a, b, c| (a && b) || c),
        ("(A | B) & C", |a, b, c| (a || b) && c),
        ("A & (B | C)", |a, b, c| a && (b || c)),
        ("A & !(B & C)", |a, b, c| a && !(b && c)),
        ("!(A & !(B | C))", |a, b, c| !a || b || c),
        ("(A | B) & (B | C) & (A | C)", |a, b, c| {
            [a, b, c].iter().filter(|it| **it).count() >= 2
        }),
        ("A & !A", |_, _, _| false),
        ("A | !A", |_, _, _| true),
    ];
    for (text, holds) in expressions {
        let mut quoted = text.to_owned();
        for (letter, tag) in ["A", "B", "C"].iter().zip(&tags) {
            quoted = quoted.replace(letter, &format!("\"{}\"", tag.as_str()));
        }
        let found = all(only(
            std::slice::from_ref(&id),
            stores.queries.current_events(parsed(&quoted), start),
        ));
        let expected: Vec<i64> = (1..=8)
            .filter(|number| holds(has(*number, 0), has(*number, 1), has(*number, 2)))
            .collect();
        assert_eq!(numbers(&found.await), expected, "the events of {text}");
    }
}

fn parsed(text: &str) -> TagExpression {
    match text.parse() {
        Ok(expression) => expression,
        Err(error) => panic!("the suite writes expressions: {error}"),
    }
}

/// Whatever the tags, and whatever is asked: the events that belong to it, and no other.
pub async fn current_events_by_expression_are_those_that_belong_to_it(stores: &JournalAndQueries) {
    let (start, ids, tags) = (here(stores).await, ids(4), fresh_tags::<5>());
    let mut random = fastrand::Rng::with_seed(1);
    let model = Model::stored(stores, &random_writers(&mut random, &ids, 15, &tags)).await;
    for _ in 0..100 {
        let expression = random_expression(&mut random, &tags, 4);
        let found = current(stores, &expression, &ids, start).await;
        let expected = model.chosen(&expression.clone().into());
        expect_given(&format!("{expression}"), &found, &expected);
    }
}

/// Live readers are given what current ones are, whether they come before the first event, with some
/// there, or behind the last.
pub async fn events_by_expression_are_the_same_live(stores: &JournalAndQueries) {
    let (start, ids, tags) = (here(stores).await, ids(4), fresh_tags::<5>());
    let mut random = fastrand::Rng::with_seed(2);
    let writers = random_writers(&mut random, &ids, 20, &tags);
    let expressions: Vec<Selection> = (0..12)
        .map(|_| random_expression(&mut random, &tags, 3).into())
        .collect();
    let live = |which: &Selection| only(&ids, stores.queries.events(which.clone(), start));

    let early: Vec<_> = expressions.iter().map(live).collect();
    let halves: (Writers, Writers) = writers
        .iter()
        .map(|writes| (writes[..10].to_vec(), writes[10..].to_vec()))
        .unzip();
    write_all(stores, &halves.0).await;
    let middle: Vec<_> = expressions.iter().map(live).collect();
    write_all(stores, &halves.1).await;
    let late: Vec<_> = expressions.iter().map(live).collect();

    let model = Model::of(stores, &writers).await;
    for (readers, streams) in [("early", early), ("middle", middle), ("late", late)] {
        for (which, mut stream) in expressions.iter().zip(streams) {
            let expected = model.chosen(which);
            let given = take(&mut stream, expected.len()).await;
            let reader = format!("the {readers} reader of {which:?}");
            expect_given(&reader, &given, &expected);
            expect_waiting(&mut stream, "all that belongs to it");
        }
    }
    for which in &expressions {
        let current = all(only(
            &ids,
            stores.queries.current_events(which.clone(), start),
        ));
        expect_given(
            &format!("the current reader of {which:?}"),
            &current.await,
            &model.chosen(which),
        );
    }
}

/// Behind the offset of an event that belongs to it, and of one that does not.
pub async fn events_by_expression_resume_behind_every_offset(stores: &JournalAndQueries) {
    let (start, ids, tags) = (here(stores).await, ids(2), fresh_tags());
    let mut random = fastrand::Rng::with_seed(3);
    let model = Model::stored(stores, &random_writers(&mut random, &ids, 8, &tags)).await;
    let [one, two] = tags.map(TagExpression::from);
    for expression in [one.clone() | two.clone(), one.clone() & !two, !one] {
        for after in [start].into_iter().chain(model.offsets()) {
            let found = current(stores, &expression, &ids, after).await;
            let expected = model.chosen_behind(&expression.clone().into(), after);
            expect_given(&format!("{expression} behind {after}"), &found, &expected);
        }
    }
}

/// Where nothing is asked for but absence, an event without any tag belongs to it, and one with other
/// tags does.
pub async fn events_without_tags_belong_to_a_purely_negative_expression(
    stores: &JournalAndQueries,
) {
    let (start, id, tags) = (here(stores).await, fresh_id(), fresh_tags::<3>());
    let [a, b, c] = [0, 1, 2].map(|place: usize| tags[place].as_str());
    for (number, some) in (1..).zip([&[][..], &[a], &[b], &[c], &[a, b], &[], &[b, c]]) {
        let write = tagged(&id, WriterId::random(), number, 1, some);
        store(&stores.journal, write).await;
    }
    let (a, b) = (TagExpression::from(tags[0].clone()), tags[1].clone());
    let ids = [id];
    for (expression, expected) in [
        (!a.clone(), &[1, 3, 4, 6, 7][..]),
        (!a.clone() & !TagExpression::from(b.clone()), &[1, 4, 6]),
        (!(a.clone() | b.clone()), &[1, 4, 6]),
        (!(a & b), &[1, 2, 3, 4, 6, 7]),
    ] {
        let found = numbers(&current(stores, &expression, &ids, start).await);
        assert_eq!(found, expected, "the events of {expression}");
    }
}

/// Wherever it stands: under *not* too, and where the rest alone decides.
pub async fn unknown_tag_in_an_expression_is_named(stores: &JournalAndQueries) {
    let [known, misspelt] = fresh_tags();
    store_tagged(&stores.journal, &fresh_id(), 1, 1, known.as_str()).await;
    let (is_known, unknown) = (
        TagExpression::from(known),
        TagExpression::from(misspelt.clone()),
    );
    for expression in [
        is_known.clone() & unknown.clone(),
        is_known.clone() | unknown.clone(),
        is_known.clone() & !unknown.clone(),
        !unknown.clone(),
        !(is_known.clone() | !(is_known & unknown)),
    ] {
        let found = stores
            .queries
            .current_events(expression.clone(), Offset::start());
        match error(found).await {
            QueryError::UnknownTag { tag } => {
                assert_eq!(tag, misspelt.as_str(), "the tag in the error");
            }
            other => panic!("{misspelt:?} in {expression} must be named as unknown: {other:?}"),
        }
    }
}

/// A live reader may be there before the first event with one of its tags.
pub async fn new_tag_in_an_expression_is_waited_for(stores: &JournalAndQueries) {
    let ([known, new], id) = (fresh_tags(), fresh_id());
    let (is_known, is_new) = (TagExpression::from(known.clone()), new.clone());
    let live = |which: TagExpression| stores.queries.events(which, Offset::start());
    store_tagged(&stores.journal, &id, 1, 1, known.as_str()).await;
    let mut both = live(is_known.clone() & is_new.clone());
    let mut either = live(is_known | is_new);
    assert_eq!(numbers(&[next(&mut either).await]), [1], "what is there");
    expect_waiting(&mut either, "what is there");
    let (known, new) = (known.as_str(), new.as_str());
    for (number, some) in (2..).zip([&[new][..], &[known, new], &[known], &[known, new]]) {
        expect_waiting(&mut both, "all that there is");
        let write = tagged(&id, WriterId::random(), number, 1, some);
        store(&stores.journal, write).await;
        assert_eq!(numbers(&[next(&mut either).await]), [number], "{id}");
        if some.len() == 2 {
            assert_eq!(numbers(&[next(&mut both).await]), [number], "{id}");
        }
    }
}

/// What asks for the absence of a tag that nobody carries yet is given everything, and what carries the
/// tag later is not among it.
pub async fn tag_that_appears_later_changes_a_live_expression(stores: &JournalAndQueries) {
    let (start, [known, new], id) = (here(stores).await, fresh_tags(), fresh_id());
    let (is_known, is_new) = (
        TagExpression::from(known.clone()),
        TagExpression::from(new.clone()),
    );
    let ids = [id.clone()];
    let live = |which: TagExpression| only(&ids, stores.queries.events(which, start));
    let mut known_alone = live(is_known & !is_new.clone());
    let mut without_new = live(!is_new);
    let (known, new) = (known.as_str(), new.as_str());
    let tags = [
        &[known][..],
        &[known, new],
        &[known],
        &[new],
        &[],
        &[known, new],
        &[known],
    ];
    for (number, some) in (1..).zip(tags) {
        let write = tagged(&id, WriterId::random(), number, 1, some);
        store(&stores.journal, write).await;
        if some == [known] {
            assert_eq!(numbers(&[next(&mut known_alone).await]), [number], "{id}");
        }
        if !some.contains(&new) {
            assert_eq!(numbers(&[next(&mut without_new).await]), [number], "{id}");
        }
    }
}

/// As many tags as an expression may name, and as many levels as it may have.
pub async fn largest_expressions_are_answered(stores: &JournalAndQueries) {
    let (start, id) = (here(stores).await, fresh_id());
    let tags: [Tag; TagExpression::MAX_TAGS] = fresh_tags();
    let one_each = tags.iter().map(|tag| together([tag]));
    let write = Tagged {
        persistence_id: id.clone(),
        writer: WriterId::random(),
        first: 1,
        tags: one_each.chain([Tags::none(), together(&tags)]).collect(),
    };
    let model = Model::stored(stores, &vec![vec![write]]).await;

    let joined = |join: fn(TagExpression, Tag) -> TagExpression| {
        let first = TagExpression::from(tags[0].clone());
        tags[1..].iter().cloned().fold(first, join)
    };
    let (any, every) = (joined(|any, tag| any | tag), joined(|all, tag| all & tag));
    let deepest = tags[1..=TagExpression::MAX_DEPTH / 2]
        .iter()
        .cloned()
        .fold(TagExpression::from(tags[0].clone()), |deep, tag| {
            !(deep & tag)
        });
    let largest = [any.clone(), !any, every.clone(), !every, deepest];
    let ids = [id];
    for (place, expression) in (1..).zip(largest) {
        let found = current(stores, &expression, &ids, start).await;
        let expected = model.chosen(&expression.into());
        expect_given(
            &format!("the reader of large expression {place}"),
            &found,
            &expected,
        );
    }
}

/// Neither a part of a tag nor another case of its letters is that tag, and none of its characters is an
/// operator.
pub async fn tags_in_expressions_match_as_a_whole_and_case_counts(stores: &JournalAndQueries) {
    let (shared, id) = (fresh_tag(), fresh_id());
    let tags = odd_tags();
    for (number, tag) in (1..).zip(&tags) {
        let write = tagged(&id, WriterId::random(), number, 1, &[&shared, tag]);
        store(&stores.journal, write).await;
    }
    let ids = [id];
    let has = |tag: &str| TagExpression::from(Tag::new(tag).expect("the suite has no other tags"));
    for (number, tag) in (1..).zip(&tags) {
        let one = has(&shared) & has(tag);
        let found = numbers(&current(stores, &one, &ids, Offset::start()).await);
        assert_eq!(found, [number], "the events of {one}");
        let others = parsed(&(has(&shared) & !has(tag)).to_string());
        let found = numbers(&current(stores, &others, &ids, Offset::start()).await);
        let expected: Vec<i64> = (1..=tags.len() as i64).filter(|it| *it != number).collect();
        assert_eq!(found, expected, "the events of {others}");
    }
}

/// What was deleted is no longer read, neither where a tag is asked for nor where its absence is.
pub async fn deleted_events_are_left_out_by_expression(stores: &JournalAndQueries) {
    let (start, [carried, other]) = (here(stores).await, fresh_tags());
    let ids = ids(2);
    for id in &ids {
        store_tagged(&stores.journal, id, 1, 5, carried.as_str()).await;
    }
    store_tagged(&stores.journal, &fresh_id(), 1, 1, other.as_str()).await;
    delete(&stores.journal, &ids[0], 3).await;
    delete(&stores.journal, &ids[1], i64::MAX).await;
    let (carried, other) = (TagExpression::from(carried), TagExpression::from(other));
    for expression in [
        carried.clone() | other.clone(),
        carried & !other.clone(),
        !other,
    ] {
        let found = numbers(&current(stores, &expression, &ids, start).await);
        assert_eq!(found, [4, 5], "the events of {expression}");
    }
}

/// A reader that finds nothing for a long time goes on.
pub async fn events_behind_many_that_do_not_belong_are_given(stores: &JournalAndQueries) {
    let ([common, rare], id) = (fresh_tags(), fresh_id());
    let mut expected = Vec::new();
    let mut first = 1;
    for others in [0, 1, 999, 1000, 3000] {
        if others > 0 {
            store_tagged(&stores.journal, &id, first, others, common.as_str()).await;
        }
        first += others;
        let both = [common.as_str(), rare.as_str()];
        store(
            &stores.journal,
            tagged(&id, WriterId::random(), first, 1, &both),
        )
        .await;
        expected.push(first);
        first += 1;
    }
    let expression = TagExpression::from(common) & rare;
    let found = current(stores, &expression, &[id], Offset::start()).await;
    assert_eq!(numbers(&found), expected, "the events of {expression}");
}

fn ids(count: usize) -> Vec<PersistenceId> {
    (0..count).map(|_| fresh_id()).collect()
}

async fn current(
    stores: &JournalAndQueries,
    expression: &TagExpression,
    ids: &[PersistenceId],
    after: Offset,
) -> Vec<EventEnvelope> {
    let found = stores.queries.current_events(expression.clone(), after);
    all(only(ids, found)).await
}
