use tokio_postgres::Error;

use super::Patient;
use super::finding::{Finding, or_well};

const CHECK: &str = "sequences";

/// A sequence, where it stands, and where the numbers end that its column can hold.
struct Sequence {
    name: String,
    last: i64,
    end: i64,
    /// The highest number that is stored.
    stored: i64,
}

pub(super) async fn check(patient: &Patient<'_>) -> Result<Vec<Finding>, Error> {
    let rows = patient
        .connection
        .query(SEQUENCES, &[&patient.shape.sequence])
        .await?;
    let sequence = |row: &tokio_postgres::Row| {
        Ok(Sequence {
            name: row.try_get(0)?,
            last: row.try_get(1)?,
            end: row.try_get(2)?,
            stored: row.try_get(3)?,
        })
    };
    let sequences = rows
        .iter()
        .map(sequence)
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(judge(&sequences))
}

fn judge(sequences: &[Sequence]) -> Vec<Finding> {
    let finding = |it: &Sequence| {
        let Sequence {
            name,
            last,
            end,
            stored,
        } = it;
        if stored > last {
            let what = format!(
                "{name} stands at {last}, and {stored} is stored: numbers would be given twice"
            );
            let remedy = format!("stop all writers; select setval('{name}', {stored})");
            return Some(Finding::bad(CHECK, what, remedy));
        }
        let used = *last as f64 / *end as f64;
        let what = format!(
            "{name} has used {:.0} % of its numbers ({last} of {end})",
            used * 100.0
        );
        let remedy = "move the journal into a new one before they end (docs/moving.md)";
        match used {
            0.95.. => Some(Finding::bad(CHECK, what, remedy)),
            0.8.. => Some(Finding::warn(CHECK, what, remedy)),
            _ => None,
        }
    };
    or_well(
        CHECK,
        sequences.iter().filter_map(finding).collect(),
        "far from their ends",
    )
}

/// The ids of tags lie in an array of int4, whatever their own column can hold.
const SEQUENCES: &str = "
    with wanted (name, stored, most) as (
        select $1::text, (select coalesce(max(ordering), 0) from journal), 9223372036854775807
        union all
        select pg_get_serial_sequence('tags', 'id'), (select coalesce(max(id), 0) from tags), 2147483647
    )
    select w.name, coalesce(pg_sequence_last_value(s.seqrelid), 0), least(s.seqmax, w.most), w.stored
    from wanted w join pg_sequence s on s.seqrelid = to_regclass(w.name)";

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn the_nearer_the_end_the_worse() {
        let level = |last, stored| {
            judge(&[Sequence {
                name: "s".to_owned(),
                last,
                end: 100,
                stored,
            }])[0]
                .level
        };
        assert_eq!(level(79, 79), Level::Ok);
        assert_eq!(level(80, 7), Level::Warn);
        assert_eq!(level(95, 95), Level::Bad);
        assert_eq!(level(10, 11), Level::Bad, "behind what is stored");
    }
}
