//! What the source holds, counted on its server.

use super::CannotImport;
use super::source::Source;
use super::unfit::{Reason, Unfit};
use crate::failure::Failure;

/// What there is to bring over.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) events: u64,
    pub(super) deleted: i64,
    pub(super) ids: i64,
    /// Persistence ids whose first events are gone without a row that tells of it.
    pub(super) late: i64,
    pub(super) first_ordering: i64,
    pub(super) last_ordering: i64,
    pub(super) tags: i64,
    pub(super) tagged: i64,
    pub(super) snapshots: i64,
    pub(super) states: i64,
    pub(super) unfit: Vec<Unfit>,
}

/// One pass in the order of the primary key.
const EVENTS: &str = "\
select coalesce(unfit, '') as unfit, count(*), count(*) filter (where deleted), \
  count(*) filter (where before is null), \
  count(*) filter (where before is null and sequence_number > 1 and not deleted), \
  min(ordering)::int8, max(ordering)::int8 \
from ( \
  select *, case \
    when meta_ser_id is not null or meta_payload is not null then 'metadata' \
    when persistence_id = '' or octet_length(persistence_id) > 1024 then 'persistence_id' \
    when sequence_number < 1 then 'sequence_number' \
    when ordering < 1 then 'ordering' \
    when write_timestamp is null then 'timestamp' \
    when sequence_number <> before + 1 then 'hole' \
    when ordering <= ordering_before then 'disorder' \
  end as unfit \
  from ( \
    select ordering, persistence_id, sequence_number, deleted, write_timestamp, meta_ser_id, meta_payload, \
      lag(sequence_number) over history as before, lag(ordering) over history as ordering_before \
    from event_journal window history as (partition by persistence_id order by sequence_number) \
  ) as follows \
) as judged \
group by unfit order by min(ordering)";

impl Survey {
    pub(super) async fn of(source: &Source) -> Result<Self, Failure> {
        let mut survey = Self {
            events: 0,
            deleted: 0,
            ids: 0,
            late: 0,
            first_ordering: i64::MAX,
            last_ordering: 0,
            tags: 0,
            tagged: 0,
            snapshots: 0,
            states: 0,
            unfit: Vec::new(),
        };
        survey.count_events(source).await?;
        survey.count_tags(source).await?;
        if source.has_snapshots {
            survey.count_snapshots(source).await?;
        }
        if source.has_states {
            let states = "select count(*) from durable_state";
            survey.states = source.connection.query_one(states, &[]).await?.try_get(0)?;
        }
        Ok(survey)
    }

    async fn count_events(&mut self, source: &Source) -> Result<(), Failure> {
        for row in source.connection.query(EVENTS, &[]).await? {
            let rows: i64 = row.try_get(1)?;
            self.events += u64::try_from(rows).unwrap_or_default();
            self.deleted += row.try_get::<_, i64>(2)?;
            self.ids += row.try_get::<_, i64>(3)?;
            self.late += row.try_get::<_, i64>(4)?;
            let (first, last) = (row.try_get(5)?, row.try_get(6)?);
            self.first_ordering = self.first_ordering.min(first);
            self.last_ordering = self.last_ordering.max(last);
            let reason: String = row.try_get(0)?;
            if !reason.is_empty() {
                let event = "select persistence_id::text, sequence_number::int8 from event_journal \
                    where ordering = $1::int8 limit 1";
                let event = source.connection.query_one(event, &[&first]).await?;
                self.note(&reason, rows, event.try_get(0)?, event.try_get(1)?)?;
            }
        }
        Ok(())
    }

    async fn count_tags(&mut self, source: &Source) -> Result<(), Failure> {
        let tags = "select count(*), count(distinct tag) from event_tag";
        let row = source.connection.query_one(tags, &[]).await?;
        (self.tagged, self.tags) = (row.try_get(0)?, row.try_get(1)?);
        if self.tagged == 0 {
            return Ok(());
        }
        let unfit =
            "select exists (select from event_tag where tag = '' or octet_length(tag) > 1024)";
        if !source.connection.query_one(unfit, &[]).await?.try_get(0)? {
            return Ok(());
        }
        let unfit = format!(
            "select count(*) over (), persistence_id::text, sequence_number::int8 \
             from (select *, {} as tags from event_journal as event) as event \
             where exists (select from unnest(tags) as tag where tag = '' or octet_length(tag) > 1024) \
             order by ordering limit 1",
            source.tags()
        );
        if let Some(row) = source.connection.query_opt(&unfit, &[]).await? {
            let (id, number) = (row.try_get(1)?, row.try_get(2)?);
            self.note(Reason::Tag.name(), row.try_get(0)?, id, number)?;
        }
        Ok(())
    }

    async fn count_snapshots(&mut self, source: &Source) -> Result<(), Failure> {
        let all = "select count(*) from snapshot";
        self.snapshots = source.connection.query_one(all, &[]).await?.try_get(0)?;
        let unfit = "select count(*) over (), persistence_id::text, sequence_number::int8 from snapshot \
            where meta_ser_id is not null or meta_payload is not null \
            order by persistence_id, sequence_number limit 1";
        if let Some(row) = source.connection.query_opt(unfit, &[]).await? {
            let (id, number) = (row.try_get(1)?, row.try_get(2)?);
            let reason = Reason::SnapshotMetadata.name();
            self.note(reason, row.try_get(0)?, id, number)?;
        }
        Ok(())
    }

    fn note(
        &mut self,
        reason: &str,
        rows: i64,
        persistence_id: String,
        sequence_number: i64,
    ) -> Result<(), CannotImport> {
        let unknown = || CannotImport::Row(format!("unknown reason {reason:?}"));
        self.unfit.push(Unfit {
            reason: Reason::named(reason).ok_or_else(unknown)?,
            rows,
            persistence_id,
            sequence_number,
        });
        Ok(())
    }
}
