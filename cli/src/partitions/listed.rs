use indicatif::{HumanBytes, HumanCount};
use serde_json::Value;

use crate::output::{Mood, Part, number, table, word};

/// The list for people: a row a partition.
pub(super) fn parts(listed: &[Value]) -> Vec<Part> {
    let mut rows = table([
        "partition",
        "state",
        "from",
        "to",
        "rows",
        "size",
        "last write",
        "not passed by",
        "archive",
    ]);
    for it in listed {
        rows.add_row([
            text(it, "partition").into(),
            word(text(it, "state"), mood(text(it, "state"))),
            number(ends(it, "low")),
            number(ends(it, "high")),
            number(count(it, "rows")),
            number(HumanBytes(
                it.get("bytes").and_then(Value::as_u64).unwrap_or(0),
            )),
            // To the second.
            text(it, "last_write").get(..19).unwrap_or_default().into(),
            needed_by(it).into(),
            text(it, "archive").into(),
        ]);
    }
    vec![Part::Rows(rows)]
}

fn text<'a>(it: &'a Value, name: &str) -> &'a str {
    it.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn ends(it: &Value, name: &str) -> String {
    let end = it.get(name).and_then(Value::as_i64);
    end.map_or_else(|| "-".to_owned(), |it| it.to_string())
}

fn count(it: &Value, name: &str) -> String {
    let count = it.get(name).and_then(Value::as_u64);
    count.map_or_else(|| "-".to_owned(), |it| HumanCount(it).to_string())
}

fn needed_by(it: &Value) -> String {
    let names = ["projections", "readers"].iter().flat_map(|kind| {
        let names = it.get(kind).and_then(Value::as_array);
        names.into_iter().flatten().filter_map(Value::as_str)
    });
    names.collect::<Vec<_>>().join(", ")
}

/// What is on its way wants attention: it is in neither place for good.
fn mood(state: &str) -> Mood {
    match state {
        "attached" | "dropped" => Mood::Good,
        _ => Mood::Attention,
    }
}
