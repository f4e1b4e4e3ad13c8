use annals_persistence::{
    EventEnvelope, EventStream, Offset, PersistenceId, QueryError, Selection, SliceRange, Tag,
    TagExpression, Tags, WriterId,
};
use futures::future::{join, join_all};
use futures::stream::BoxStream;

use super::JournalAndQueries;
use super::by_slices::{fresh_type, scattered};
use super::model::{Model, Tagged, Writers, count, expect_given, here, only, write_all};
use super::random::{fresh_tags, random_writers, together};
use super::reading::{expect_waiting, next, take};
use crate::suite::fixture::number;

/// One who reads live, and what it wants.
struct Reader {
    name: String,
    which: Selection,
    after: Offset,
    /// How many events it must be given in the end.
    wanted: usize,
    live: BoxStream<'static, Result<EventEnvelope, QueryError>>,
}

impl Reader {
    async fn read(mut self) -> (Self, Vec<EventEnvelope>) {
        let given = take(&mut self.live, self.wanted).await;
        (self, given)
    }
}

/// Readers of everything, of tags, expressions, slices, types and single persistence ids; some from the
/// beginning, some from the middle on, some behind an offset, while several write. Each is given every
/// event that it wants, once and in order, and no other.
pub async fn subscribers_with_different_selections_are_each_given_theirs(
    stores: &JournalAndQueries,
) {
    let (start, types) = (here(stores).await, [fresh_type(), fresh_type()]);
    let (ids, tags) = (
        types.each_ref().map(|it| scattered(it, 4)).concat(),
        fresh_tags(),
    );
    let mut random = fastrand::Rng::with_seed(8);
    let writers = random_writers(&mut random, &ids, 40, &tags);
    let (first, second): (Writers, Writers) = writers
        .iter()
        .map(|writes| (writes[..20].to_vec(), writes[20..].to_vec()))
        .unzip();
    let selections = selections(&types, tags);
    let open = |name: &str, which: &Selection, after: Offset, passed: usize| Reader {
        name: format!("the reader from {name} of {which:?}"),
        which: which.clone(),
        after,
        wanted: count(which, &writers) - passed,
        live: only(&ids, stores.queries.events(which.clone(), after)),
    };

    let early: Vec<Reader> = selections
        .iter()
        .map(|which| open("the beginning", which, start, 0))
        .collect();
    let early_of_one = readers_of_one(stores, &writers);
    let rest = async {
        write_all(stores, &first).await;
        let there = Model::of(stores, &first).await;
        let offsets = there.offsets();
        let mut late = Vec::new();
        for which in &selections {
            late.push(open("the middle", which, start, 0));
            let after = offsets[random.usize(..offsets.len())];
            let passed = there.chosen(which).len() - there.chosen_behind(which, after).len();
            late.push(open("an offset", which, after, passed));
        }
        let late = late.into_iter().map(Reader::read);
        let reading = join(join_all(late), readers_of_one(stores, &writers));
        join(write_all(stores, &second), reading).await.1
    };
    let early = early.into_iter().map(Reader::read);
    let (early, early_of_one, (late, late_of_one)) =
        futures::join!(join_all(early), early_of_one, rest);

    let model = Model::of(stores, &writers).await;
    for (mut reader, given) in early.into_iter().chain(late) {
        let expected = model.chosen_behind(&reader.which, reader.after);
        expect_given(&reader.name, &given, &expected);
        expect_waiting(&mut reader.live, "all that it wants");
    }
    for (id, given) in early_of_one.into_iter().chain(late_of_one) {
        let mut expected = model.chosen(&Selection::all());
        expected.retain(|event| event.persistence_id == id);
        expect_given(&format!("the reader of {id}"), &given, &expected);
    }
}

fn selections(types: &[String; 2], tags: [Tag; 3]) -> Vec<Selection> {
    let [a, b, c] = tags.map(TagExpression::from);
    let split = |ranges| SliceRange::split(ranges).expect("the suite splits evenly");
    let mut selections = vec![
        Selection::all(),
        a.clone().into(),
        (!c.clone()).into(),
        (a.clone() & !b.clone()).into(),
        ((a.clone() | b.clone()) & !c.clone()).into(),
        Selection::all().of_type(&types[0]),
        Selection::all().of_type(&types[1]).tagged(b),
        Selection::slices(split(2)[1])
            .of_type(&types[0])
            .tagged(a | c),
    ];
    selections.extend(split(4).into_iter().map(Selection::slices));
    selections
}

/// One for each persistence id, which ends with its last event.
async fn readers_of_one(
    stores: &JournalAndQueries,
    writers: &Writers,
) -> Vec<(PersistenceId, Vec<EventEnvelope>)> {
    let read = |writes: &Vec<Tagged>| {
        let id = writes[0].persistence_id.clone();
        let events: usize = writes.iter().map(|write| write.tags.len()).sum();
        let mut live: EventStream =
            stores
                .queries
                .events_by_persistence_id(&id, number(1), number(events as i64));
        async move { (id, take(&mut live, events).await) }
    };
    join_all(writers.iter().map(read)).await
}

/// More than any buffer holds: whoever stops reading, and goes on when twenty thousand events have been
/// stored, is given them all, and those beside it need not wait for that.
pub async fn subscriber_that_goes_on_after_many_events_misses_nothing(stores: &JournalAndQueries) {
    let (start, [tag, other]) = (here(stores).await, fresh_tags());
    let ids = scattered(&fresh_type(), 4);
    let writers: Writers = ids.iter().map(|id| many(id, &tag, &other)).collect();
    let (first, rest): (Writers, Writers) = writers
        .iter()
        .map(|writes| (writes[..1].to_vec(), writes[1..].to_vec()))
        .unzip();
    write_all(stores, &first).await;

    let slices = SliceRange::split(2).expect("two halves");
    let (tag, other) = (TagExpression::from(tag), TagExpression::from(other));
    let mut selections = vec![
        Selection::all(),
        tag.clone().into(),
        (tag & !other).into(),
        Selection::all().of_type(ids[0].entity_type()),
    ];
    selections.extend(slices.into_iter().map(Selection::slices));
    let live = |which: &Selection| only(&ids, stores.queries.events(which.clone(), start));

    let mut slow = Vec::new();
    for which in &selections {
        let mut live = live(which);
        slow.push((which, vec![next(&mut live).await], live));
    }
    let quick = selections.iter().map(|which| {
        let (mut live, wanted) = (live(which), count(which, &writers));
        async move { (which, take(&mut live, wanted).await) }
    });
    let quick = join_all(quick.collect::<Vec<_>>());
    let ((), quick) = join(write_all(stores, &rest), quick).await;

    let model = Model::of(stores, &writers).await;
    for (which, given) in quick {
        let reader = format!("the reader of {which:?} beside slow ones");
        expect_given(&reader, &given, &model.chosen(which));
    }
    for (which, mut given, mut live) in slow {
        let expected = model.chosen(which);
        given.extend(take(&mut live, expected.len() - 1).await);
        expect_given(&format!("the slow reader of {which:?}"), &given, &expected);
        expect_waiting(&mut live, "all that it wants");
    }
}

/// One event, and then five thousand in ten writes; all have the tag, every second one the other too.
fn many(id: &PersistenceId, tag: &Tag, other: &Tag) -> Vec<Tagged> {
    let writer = WriterId::random();
    let tags = |number: i64| -> Tags {
        if number % 2 == 0 {
            together([tag, other])
        } else {
            together([tag])
        }
    };
    let write = |first: i64, count: i64| Tagged {
        persistence_id: id.clone(),
        writer,
        first,
        tags: (first..first + count).map(tags).collect(),
    };
    let rest = (0..10).map(|place| write(2 + place * 500, 500));
    [write(1, 1)].into_iter().chain(rest).collect()
}
