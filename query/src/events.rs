use std::time::Duration;

use annals_persistence::{EventEnvelope, Offset, Passed, Selection, Tail};
use annals_postgres::Pool;
use tokio::time::timeout;

use crate::catch_up::selects::{TagFilter, Wanted};
use crate::catch_up::{CatchUp, Finders};
use crate::delivery::{Sink, serve};
use crate::horizon_ref::HorizonRef;
use crate::read_error::ReadError;
use crate::shape::KnownShape;
use crate::tag_query::{needs_a_tag, query_int};
use crate::tags::TagNumbers;
use crate::tail::{Interest, SharedTail};
use crate::taken_out::TakenOut;

/// Reads the events of a selection: what is there by itself, what is new through the tail that all live
/// readers share.
pub(crate) struct Events {
    pub(crate) pool: Pool,
    pub(crate) shape: KnownShape,
    pub(crate) horizon: HorizonRef,
    pub(crate) tags: TagNumbers,
    pub(crate) finders: Finders,
    pub(crate) shared: SharedTail,
    pub(crate) which: Selection,
    pub(crate) tail: Tail,
    pub(crate) passed: Passed,
    pub(crate) sink: Sink<EventEnvelope>,
}

/// Who hears nothing for so long is told how far the others are.
const IDLE: Duration = Duration::from_secs(1);

impl Events {
    pub(crate) async fn run(self, after: Offset) {
        serve(&self.sink, self.read(after.get())).await;
    }

    async fn read(&self, mut after: i64) -> Result<(), ReadError> {
        loop {
            let settled = self.horizon.settle().await?;
            if !self.catch_up(after, settled).await? {
                return Ok(());
            }
            after = after.max(settled);
            self.passed.set(Offset::new(after));
            if self.tail == Tail::Current {
                return Ok(());
            }
            let interest = Interest::Events(self.which.clone());
            // Where the tail has gone on meanwhile, there is a little more to catch up with.
            let Some(mut place) = self.shared.join(settled, after, interest).await? else {
                continue;
            };
            loop {
                let Ok(news) = timeout(IDLE, place.next()).await else {
                    // In this order: a place that waits has taken all up to a position of before.
                    let position = self.shared.position();
                    if place.is_waiting() {
                        self.passed.set(Offset::new(position));
                    }
                    continue;
                };
                let Some(news) = news.transpose()? else {
                    break;
                };
                after = news.up_to;
                if self.sink.send(Ok(news.events)).await.is_err() {
                    return Ok(());
                }
                self.passed.set(Offset::new(after));
            }
        }
    }

    /// Delivers what is there; says whether there is still a reader.
    async fn catch_up(&self, after: i64, settled: i64) -> Result<bool, ReadError> {
        let (tags, has_index) = self.tag_filter().await?;
        let wanted = Wanted {
            tags,
            with_deleted: self.which.includes_deleted(),
        };
        let pass_over = self.which.passes_over_detached();
        let journal = TakenOut::of(&self.pool, &self.shape, pass_over).await?;
        CatchUp::new(
            journal,
            &self.finders,
            &self.which,
            &self.sink,
            wanted,
            has_index,
        )
        .between(after, settled)
        .await
    }

    /// With the numbers that the tags have now, and whether all that fits has some tag.
    async fn tag_filter(&self) -> Result<(Option<TagFilter>, bool), ReadError> {
        let Some(expression) = self.which.tags() else {
            return Ok((None, false));
        };
        let numbers = self.tags.of(expression).await?;
        let unknown = expression
            .tags()
            .into_iter()
            .find(|tag| !numbers.contains_key(tag));
        if let (Some(unknown), Tail::Current) = (unknown, self.tail) {
            return Err(ReadError::UnknownTag {
                tag: unknown.as_str().to_owned(),
            });
        }
        let filter = match expression.as_tag().and_then(|tag| numbers.get(tag)) {
            Some(number) => TagFilter::One(*number),
            None => TagFilter::Expression(query_int(expression.term(), &numbers)),
        };
        Ok((Some(filter), needs_a_tag(expression.term())))
    }
}
