//! How the journal stands to what is to come: whether an earlier import has begun, and what forbids one.

use annals_postgres::{Connection, JournalShape};

use super::CannotImport;
use super::comparison::{Comparison, Orderings};
use super::source::Source;
use super::survey::Survey;
use crate::failure::Failure;

#[derive(Debug)]
pub(super) struct Standing {
    /// The highest ordering that the journal has given.
    pub(super) given: i64,
    /// The events up to this ordering of the source are there; zero where orderings are not kept.
    pub(super) after: i64,
    /// How many these are.
    pub(super) behind_us: u64,
    /// The ordering of the first event that is to come.
    next: i64,
    /// Persistence ids of the source that have events in the journal, all of them those of the source.
    pub(super) ids_there: u64,
    pub(super) refusal: Option<CannotImport>,
    orderings: Orderings,
}

impl Standing {
    /// # Errors
    /// A server did not answer; what forbids an import is no error of this.
    pub(super) async fn of(
        source: &Source,
        journal: &Connection,
        shape: &JournalShape,
        survey: &Survey,
        orderings: Orderings,
    ) -> Result<Self, Failure> {
        let given = format!(
            "select case when is_called then last_value else last_value - 1 end from {}",
            shape.sequence
        );
        let mut standing = Self {
            given: journal.query_one(&given, &[]).await?.try_get(0)?,
            after: 0,
            behind_us: 0,
            next: survey.first_ordering,
            ids_there: 0,
            refusal: None,
            orderings,
        };
        let last = "select ordering, persistence_id, sequence_number from journal order by ordering desc limit 1";
        if let Some(row) = journal.query_opt(last, &[]).await? {
            let comparison = Comparison {
                source,
                journal,
                layout: shape.layout,
                orderings,
                up_to: survey.last_ordering,
            };
            standing.look_at_ids(&comparison).await?;
            if orderings == Orderings::Kept && standing.ids_there > 0 {
                let stored: i64 = row.try_get(0)?;
                standing
                    .go_on(source, stored, row.try_get(1)?, row.try_get(2)?)
                    .await?;
            }
        }
        if orderings == Orderings::Kept {
            standing.see_room(survey, &shape.sequence);
        }
        Ok(standing)
    }

    /// Whether events may come that are there.
    pub(super) fn passes_over(&self) -> bool {
        self.orderings == Orderings::New && self.ids_there > 0
    }

    /// What the journal has of the persistence ids of the source must be what the source has.
    async fn look_at_ids(&mut self, comparison: &Comparison<'_>) -> Result<(), Failure> {
        let page = "select persistence_id::text, max(sequence_number)::int8 from event_journal \
            where persistence_id > $1::text group by persistence_id order by persistence_id limit 1000";
        let there = "select id, highest, (select max(sequence_number) from journal where persistence_id = id) \
            from unnest($1::text[], $2::int8[]) as wanted (id, highest)";
        let mut after = String::new();
        loop {
            let ids = comparison.source.connection.query(page, &[&after]).await?;
            let Some(last) = ids.last() else {
                return Ok(());
            };
            after = last.try_get(0)?;
            let names = ids.iter().map(|row| row.try_get(0));
            let names: Vec<String> = names.collect::<Result<_, _>>()?;
            let ends = ids.iter().map(|row| row.try_get(1));
            let ends: Vec<i64> = ends.collect::<Result<_, _>>()?;
            let (mut known, mut highest) = (Vec::new(), Vec::new());
            for row in comparison.journal.query(there, &[&names, &ends]).await? {
                let Some(number) = row.try_get::<_, Option<i64>>(2)? else {
                    continue;
                };
                let id: String = row.try_get(0)?;
                if number > row.try_get::<_, i64>(1)? {
                    self.refuse_foreign(id, number);
                    return Ok(());
                }
                known.push(id);
                highest.push(number);
            }
            self.ids_there += known.len() as u64;
            if let Some((id, number)) = comparison.first_otherwise(&known, &highest).await? {
                self.refuse_foreign(id, number);
                return Ok(());
            }
        }
    }

    fn refuse_foreign(&mut self, persistence_id: String, sequence_number: i64) {
        self.refusal = Some(CannotImport::Foreign {
            persistence_id,
            sequence_number,
        });
    }

    /// Behind the last event of the journal, where that is one of the source: chunks are stored in the order
    /// of orderings, each as a whole.
    async fn go_on(
        &mut self,
        source: &Source,
        stored: i64,
        persistence_id: String,
        sequence_number: i64,
    ) -> Result<(), Failure> {
        let same = "select count(*) filter (where ordering = $1::int8 and persistence_id = $2::text \
              and sequence_number = $3::int8), count(*) \
            from event_journal where ordering <= $1::int8";
        let place: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&stored, &persistence_id, &sequence_number];
        let row = source.connection.query_one(same, &place).await?;
        if row.try_get::<_, i64>(0)? == 1 {
            let next = "select coalesce(min(ordering), 0)::int8 from event_journal where ordering > $1::int8";
            self.after = stored;
            self.behind_us = u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or_default();
            self.next = source
                .connection
                .query_one(next, &[&stored])
                .await?
                .try_get(0)?;
        }
        Ok(())
    }

    fn see_room(&mut self, survey: &Survey, sequence: &str) {
        if self.refusal.is_some() || survey.events == 0 || self.after == survey.last_ordering {
            return;
        }
        if self.given < self.next {
            return;
        }
        self.refusal = Some(match self.after {
            0 => CannotImport::Orderings {
                first: survey.first_ordering,
                given: self.given,
            },
            stored => CannotImport::GivenSince {
                stored,
                given: self.given,
                sequence: sequence.to_owned(),
            },
        });
    }
}
