use tokio_postgres::Error;

use super::Patient;
use super::finding::{Finding, or_well};

const CHECK: &str = "histories";

/// A persistence id whose sequence numbers do not follow one another.
struct Broken {
    id: String,
    missing: i64,
    /// Behind which all should be there.
    floor: i64,
    highest: i64,
}

pub(super) async fn check(patient: &Patient<'_>) -> Result<Vec<Finding>, Error> {
    let connection = patient.connection;
    let taken_out = match patient.shape.has_partition_life {
        true => {
            let sql = "select exists (select from partition_life where state <> 'attached')";
            connection.query_one(sql, &[]).await?.try_get(0)?
        }
        false => false,
    };
    let rows = connection
        .query(BROKEN, &[&patient.sample, &taken_out])
        .await?;
    let seen = rows.first().map_or(Ok(0), |it| it.try_get(4))?;
    let mut broken = Vec::new();
    for row in &rows {
        // The one row of a journal without holes says how many were seen.
        if let Some(id) = row.try_get(0)? {
            broken.push(Broken {
                id,
                missing: row.try_get(1)?,
                floor: row.try_get(2)?,
                highest: row.try_get(3)?,
            });
        }
    }
    Ok(judge(seen, &broken))
}

fn judge(seen: i64, broken: &[Broken]) -> Vec<Finding> {
    const NAMED: usize = 10;
    let finding = |it: &Broken| {
        let Broken {
            id,
            missing,
            floor,
            highest,
        } = it;
        let what = format!(
            "{id} lacks {missing} of the events {} to {highest}, which were not deleted",
            floor + 1
        );
        let remedy = "its entity cannot recover: bring the rows back from a backup; annals events shows those that are there";
        Finding::bad(CHECK, what, remedy)
    };
    let mut findings: Vec<Finding> = broken.iter().take(NAMED).map(finding).collect();
    if broken.len() > NAMED {
        let what = format!("so do {} others", broken.len() - NAMED);
        findings.push(Finding::bad(CHECK, what, "mend these, and look again"));
    }
    or_well(
        CHECK,
        findings,
        format!("no holes in {seen} persistence ids"),
    )
}

/// Up to $1 persistence ids: half of them the first ones, half those that wrote last; every one where
/// $1 is large. Behind what was deleted, by a mark or as the JVM does it, every number must be there. Where
/// partitions were taken out ($2), only what lies between the rows that are there can be told.
const BROKEN: &str = "
    with recursive leap as (
        (select persistence_id from journal order by persistence_id limit 1)
        union all
        select (select j.persistence_id from journal j where j.persistence_id > leap.persistence_id
                order by j.persistence_id limit 1)
        from leap where leap.persistence_id is not null
    ), first_ones as (
        select persistence_id from leap where persistence_id is not null
        limit case when $1::bigint > 1000000 then $1 else $1 / 2 end
    ), newest as (
        select distinct persistence_id from (
            select persistence_id from journal order by ordering desc limit $1::bigint / 2
        ) as n
        where $1::bigint <= 1000000
    ), sample as (
        select persistence_id from first_ones union select persistence_id from newest
    ), judged as (
        select s.persistence_id, h.events, h.highest,
            case when $2::boolean then greatest(f.floor, h.lowest - 1) else f.floor end as floor
        from sample s
        cross join lateral (
            select greatest(
                coalesce((select d.deleted_to from journal_deletion d where d.persistence_id = s.persistence_id), 0),
                coalesce((select max(j.sequence_number) from journal j
                          where j.persistence_id = s.persistence_id and j.deleted), 0)
            ) as floor
        ) as f
        cross join lateral (
            select count(*) as events, max(j.sequence_number) as highest, min(j.sequence_number) as lowest
            from journal j
            where j.persistence_id = s.persistence_id and j.sequence_number > f.floor
        ) as h
    ), seen as (
        select count(*) as n from judged
    )
    select b.persistence_id, b.missing, b.floor, b.highest, seen.n
    from seen left join (
        select persistence_id, highest - floor - events as missing, floor, highest from judged
        where events > 0 and highest - floor <> events
    ) as b on true
    order by 1";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn ten_are_named_and_the_others_counted() {
        assert_eq!(judge(7, &[])[0].what, "no holes in 7 persistence ids");
        let broken = |number: i64| Broken {
            id: format!("Account|{number}"),
            missing: 2,
            floor: 4,
            highest: 9,
        };
        let findings = judge(20, &(0..12).map(broken).collect::<Vec<_>>());
        assert_eq!(findings.len(), 11);
        assert!(findings.iter().all(|it| it.level == Level::Bad));
        assert_eq!(
            findings[0].what,
            "Account|0 lacks 2 of the events 5 to 9, which were not deleted"
        );
        assert_eq!(findings[10].what, "so do 2 others");
    }
}
