use annals_projection::{DeadLetter, RangeState, RangeStatus, Status};
use comfy_table::Table;
use serde_json::{Value, json};

use super::lag;
use crate::output::{Mood, Part, number, table, word};
use crate::times;

pub(super) fn json(status: &Status) -> Value {
    json!({
        "projection": status.key.name,
        "version": status.key.version,
        "live": status.live,
        "paused": status.paused,
        "processes": status.processes,
        "dead_letters": status.dead_letters,
        "newest_offset": status.newest.get(),
        "caught_up": status.has_caught_up(),
        "progress": status.progress(),
        "rate": status.rate(),
        "ranges": status.ranges.iter().map(range_json).collect::<Vec<_>>(),
    })
}

fn range_json(range: &RangeStatus) -> Value {
    json!({
        "slices": range.slices.to_string(),
        "state": range.state.to_string(),
        "offset": range.offset.get(),
        "lag_events": range.lag.events,
        "lag_seconds": range.lag.time.as_secs_f64(),
        "handled": range.handled,
        "rate": range.rate,
        "saved_at": range.saved_at.map(times::of_system),
        "last_error": range.last_error.as_ref().map(|it| json!({
            "message": it.message,
            "at": times::of_system(it.at),
            "offset": it.offset.map(annals_persistence::Offset::get),
            "attempts": it.attempts,
        })),
    })
}

pub(super) const fn wants_attention(state: RangeState) -> bool {
    !matches!(
        state,
        RangeState::Running | RangeState::Paused | RangeState::Pausing
    )
}

pub(super) fn overview(all: &[Status]) -> Box<Table> {
    let mut rows = table([
        "projection",
        "live",
        "state",
        "read",
        "lag",
        "events/s",
        "processes",
        "dead letters",
    ]);
    for status in all {
        // The one that wants attention most speaks for all.
        let worst = status
            .ranges
            .iter()
            .map(|it| it.state)
            .max_by_key(|it| match it {
                RangeState::Stopped => 3,
                RangeState::Retrying => 2,
                it if wants_attention(*it) => 1,
                _ => 0,
            });
        let events = status.ranges.iter().map(|it| it.lag.events).max();
        let time = status.ranges.iter().map(|it| it.lag.time).max();
        rows.add_row([
            status.key.to_string().into(),
            if status.live { "yes" } else { "" }.into(),
            worst.map_or_else(|| "".into(), state),
            number(format!("{:.1} %", status.progress() * 100.0)),
            lag(events.unwrap_or_default(), time.unwrap_or_default()).into(),
            number(format!("{:.0}", status.rate())),
            number(status.processes),
            number(status.dead_letters),
        ]);
    }
    rows
}

pub(super) fn ranges(status: &Status) -> Vec<Part> {
    let said = format!(
        "{}{}: {:.1} % read, {} processes, {} dead letters, newest offset {}\n",
        status.key,
        if status.live { ", live" } else { "" },
        status.progress() * 100.0,
        status.processes,
        status.dead_letters,
        status.newest,
    );
    let mut rows = table([
        "slices",
        "state",
        "offset",
        "lag",
        "handled",
        "events/s",
        "last error",
    ]);
    for range in &status.ranges {
        let error = range.last_error.as_ref().map(|it| {
            let place = it
                .offset
                .map(|at| format!(" at {at}, tried {} times", it.attempts));
            format!(
                "{}{}: {}",
                times::of_system(it.at),
                place.unwrap_or_default(),
                it.message
            )
        });
        rows.add_row([
            range.slices.to_string().into(),
            state(range.state),
            number(range.offset),
            lag(range.lag.events, range.lag.time).into(),
            number(range.handled),
            number(format!("{:.0}", range.rate)),
            error.unwrap_or_default().into(),
        ]);
    }
    vec![Part::Text(said), Part::Rows(rows)]
}

fn state(state: RangeState) -> comfy_table::Cell {
    let mood = match state {
        RangeState::Running => Mood::Good,
        RangeState::Stopped => Mood::Bad,
        _ => Mood::Attention,
    };
    word(state, mood)
}

pub(super) fn letter_json(letter: &DeadLetter) -> Value {
    json!({
        "offset": letter.offset.get(),
        "persistence_id": letter.event.as_ref().map(|it| &it.0),
        "sequence_number": letter.event.as_ref().map(|it| it.1),
        "error": letter.error,
        "attempts": letter.attempts,
        "given_up_at": times::of_system(letter.given_up_at),
        "redrive": letter.redrive,
    })
}

pub(super) fn letters(letters: &[DeadLetter]) -> Box<Table> {
    let mut rows = table(["offset", "event", "given up", "attempts", "again", "error"]);
    for it in letters {
        let event = it
            .event
            .as_ref()
            .map(|(id, number)| format!("{id} {number}"));
        rows.add_row([
            number(it.offset),
            event.unwrap_or_else(|| "cannot be read".to_owned()).into(),
            times::of_system(it.given_up_at).into(),
            number(it.attempts),
            if it.redrive { "ordered" } else { "" }.into(),
            it.error.as_str().into(),
        ]);
    }
    rows
}
