use annals_postgres::{Layout, MetadataKeeper};
use tokio_postgres::Error;

use super::Patient;
use super::finding::{Finding, or_well};

const CHECK: &str = "metadata";

/// A persistence id of which `journal_metadata` says something else than the journal.
struct Differing {
    id: String,
    /// The highest sequence number by the metadata; none without a row.
    said: Option<i64>,
    stored: i64,
}

pub(super) async fn check(patient: &Patient<'_>) -> Result<Vec<Finding>, Error> {
    let shape = patient.shape;
    if shape.metadata == MetadataKeeper::Nobody {
        return Ok(vec![Finding::ok(
            CHECK,
            "nobody keeps any, and nobody needs it",
        )]);
    }
    let rows = patient
        .connection
        .query(DIFFERING, &[&patient.sample])
        .await?;
    let differing = |row: &tokio_postgres::Row| {
        Ok(Differing {
            id: row.try_get(0)?,
            said: row.try_get(1)?,
            stored: row.try_get(2)?,
        })
    };
    let rows = rows
        .iter()
        .map(differing)
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(judge(shape.layout, shape.metadata_complete, &rows))
}

fn judge(layout: Layout, complete: bool, rows: &[Differing]) -> Vec<Finding> {
    let by_it_alone = layout == Layout::Ordering;
    let finding = |it: &Differing| {
        let Differing { id, said, stored } = it;
        let remedy = format!(
            "stop its writers, then: insert into journal_metadata (persistence_id, max_sequence_number, min_ordering, max_ordering) \
             select persistence_id, max(sequence_number), -1, max(ordering) from journal where persistence_id = '{}' group by 1 \
             on conflict (persistence_id) do update set max_sequence_number = excluded.max_sequence_number, \
             max_ordering = excluded.max_ordering",
            id.replace('\'', "''")
        );
        match said {
            None if !complete => None,
            None => Some(Finding::bad(
                CHECK,
                format!("{id} has events up to {stored} and no row in journal_metadata"),
                remedy,
            )),
            Some(said) => {
                let what = format!(
                    "journal_metadata says that {id} ends at {said}, and the journal has {stored}"
                );
                Some(match by_it_alone {
                    true => Finding::bad(CHECK, what + ": a number could be given twice", remedy),
                    false => Finding::warn(CHECK, what, remedy),
                })
            }
        }
    };
    or_well(
        CHECK,
        rows.iter().filter_map(finding).take(10).collect(),
        "as the journal",
    )
}

/// The newest event of each persistence id that wrote last, and of the first ones; a row that is ahead of
/// the journal is not wrong: what lay there was taken out, or deleted by the JVM.
const DIFFERING: &str = "
    with recursive leap as (
        (select persistence_id from journal order by persistence_id limit 1)
        union all
        select (select j.persistence_id from journal j where j.persistence_id > leap.persistence_id
                order by j.persistence_id limit 1)
        from leap where leap.persistence_id is not null
    ), first_ones as (
        select persistence_id from leap where persistence_id is not null limit $1::bigint
    ), newest as (
        select distinct persistence_id from (
            select persistence_id from journal order by ordering desc limit least($1::bigint, 10000)
        ) as n
    ), stored as (
        select s.persistence_id, h.highest
        from (select persistence_id from first_ones union select persistence_id from newest) as s
        cross join lateral (
            select max(j.sequence_number) as highest from journal j where j.persistence_id = s.persistence_id
        ) as h
    )
    select s.persistence_id, m.max_sequence_number, s.highest
    from stored s left join journal_metadata m using (persistence_id)
    where m.max_sequence_number is null or m.max_sequence_number < s.highest
    order by 1";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn metadata_behind_the_journal_is_bad_where_it_alone_keeps_numbers_unique() {
        let rows = |said| {
            [Differing {
                id: "O'Hara".to_owned(),
                said,
                stored: 9,
            }]
        };
        let level = |layout, complete, said| judge(layout, complete, &rows(said))[0].level;
        assert_eq!(level(Layout::Ordering, true, Some(8)), Level::Bad);
        assert_eq!(level(Layout::Nested, true, Some(8)), Level::Warn);
        assert_eq!(level(Layout::Nested, true, None), Level::Bad);
        assert_eq!(
            level(Layout::Nested, false, None),
            Level::Ok,
            "made when it is needed"
        );
        let remedy = &judge(Layout::Ordering, true, &rows(Some(1)))[0].remedy;
        assert!(remedy.contains("'O''Hara'"), "{remedy}");
    }
}
