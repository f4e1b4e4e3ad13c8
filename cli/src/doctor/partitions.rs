use annals_postgres::Layout;
use tokio_postgres::Error;

use super::Patient;
use super::finding::{Finding, or_well};

const CHECK: &str = "partitions";

/// How the partitions stand that are there.
struct Partitions {
    /// The ordering that was drawn last.
    drawn: i64,
    /// The ordering at which the last partition ends; none where there is none.
    end: Option<i64>,
    size: i64,
    /// Partitions whose detaching was interrupted.
    detaching: Vec<String>,
    /// Rows that a default partition has taken.
    in_default: bool,
}

pub(super) async fn check(patient: &Patient<'_>) -> Result<Vec<Finding>, Error> {
    let layout = patient.shape.layout;
    if !layout.is_partitioned() {
        return Ok(vec![Finding::ok(CHECK, "the flat layout has none")]);
    }
    let row = patient
        .connection
        .query_one(PARTITIONS, &[&patient.shape.sequence])
        .await?;
    let found = Partitions {
        drawn: row.try_get(0)?,
        end: row.try_get(1)?,
        size: patient.shape.partition_size,
        detaching: row.try_get(2)?,
        in_default: row.try_get(3)?,
    };
    Ok(judge(layout, &found))
}

fn judge(layout: Layout, found: &Partitions) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in &found.detaching {
        let what = format!(
            "the detaching of {name} was interrupted: no writer can add a partition meanwhile"
        );
        let remedy = format!(
            "alter table journal detach partition {name} finalize, or scripts/partitions goes on with it"
        );
        findings.push(Finding::bad(CHECK, what, remedy));
    }
    if found.in_default {
        let what = "a default partition holds events: the partition that they belong to cannot be attached";
        let remedy = "move its rows aside, attach the partition, and insert them again while writers stand still";
        findings.push(Finding::bad(CHECK, what, remedy));
    }
    // In the nested layout each persistence id has its own, which its writes make.
    if layout == Layout::Ordering && found.drawn > 0 {
        findings.extend(shortage(found));
    }
    or_well(CHECK, findings, "enough lie ahead")
}

fn shortage(found: &Partitions) -> Option<Finding> {
    let Partitions { drawn, size, .. } = *found;
    let end = found.end.unwrap_or_default();
    // From the next ordering on.
    let left = end - drawn - 1;
    let remedy = "see whether a writer runs, whose maintainer makes partitions ahead, and whether its role may create tables there";
    if left <= 0 {
        let what = format!(
            "no partition takes the next event: the last one ends before {end}, and {drawn} was drawn"
        );
        return Some(Finding::bad(CHECK, what, remedy));
    }
    (left < size / 10).then(|| {
        let what = format!("{left} orderings are left in the last partition, of {size} in each");
        Finding::warn(CHECK, what, remedy)
    })
}

/// Names are as SQL writes them.
const PARTITIONS: &str = r"
    select
        coalesce(pg_sequence_last_value(to_regclass($1::text)), 0),
        (select max((regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''(\d+)''\)$'))[1]::bigint)
         from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'journal'::regclass and not i.inhdetachpending),
        array(select i.inhrelid::regclass::text from pg_inherits i
              where i.inhdetachpending and i.inhparent in (select relid from pg_partition_tree('journal'))),
        exists (select from pg_partition_tree('journal') t join pg_class c on c.oid = t.relid
                where pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT' and pg_relation_size(c.oid) > 0)";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn the_fewer_are_left_the_worse() {
        let level = |drawn, end| {
            let found = Partitions {
                drawn,
                end,
                size: 100,
                detaching: Vec::new(),
                in_default: false,
            };
            judge(Layout::Ordering, &found)[0].level
        };
        assert_eq!(level(0, None), Level::Ok, "nobody has written yet");
        assert_eq!(level(50, Some(100)), Level::Ok);
        assert_eq!(level(89, Some(100)), Level::Ok);
        assert_eq!(level(90, Some(100)), Level::Warn);
        assert_eq!(level(98, Some(100)), Level::Warn, "99 fits");
        assert_eq!(level(99, Some(100)), Level::Bad);
        assert_eq!(level(5, None), Level::Bad);
    }
}
