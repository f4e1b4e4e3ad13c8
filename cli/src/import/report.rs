use annals_journal::Imported;
use annals_postgres::{Layout, Settings};
use serde_json::{Value, json};

use super::comparison::Compared;
use super::standing::Standing;
use super::survey::Survey;
use super::unfit::Unfit;
use crate::failure::{Done, Failure};
use crate::output::{Output, Part, table};

/// What is known, and what was done.
pub(super) struct Report {
    from: String,
    to: String,
    pub(super) layout: Option<Layout>,
    pub(super) warnings: Vec<String>,
    pub(super) survey: Option<Survey>,
    pub(super) standing: Option<Standing>,
    pub(super) marks: u64,
    pub(super) imported: Option<Imported>,
    pub(super) snapshots_written: u64,
    /// Events that came to the source behind those that were imported.
    pub(super) since: i64,
    pub(super) compared: Option<Compared>,
}

impl Report {
    pub(super) fn new(from: &Settings, to: &Settings) -> Self {
        Self {
            from: from.to_string(),
            to: to.to_string(),
            layout: None,
            warnings: Vec::new(),
            survey: None,
            standing: None,
            marks: 0,
            imported: None,
            snapshots_written: 0,
            since: 0,
            compared: None,
        }
    }

    pub(super) fn give(mut self, output: &mut Output) -> Result<Done, Failure> {
        let refusal = self.standing.as_mut().and_then(|it| it.refusal.take());
        let refusal = refusal.map(|it| it.to_string());
        output.document(&self.json(refusal.as_deref()), || {
            self.parts(refusal.as_deref())
        })?;
        let unfit = self.survey.as_ref().is_some_and(|it| !it.unfit.is_empty());
        Ok(match unfit || refusal.is_some() || self.since > 0 {
            true => Done::Attention,
            false => Done::Well,
        })
    }

    fn json(&self, refusal: Option<&str>) -> Value {
        let mut json = json!({
            "from": self.from,
            "to": self.to,
            "layout": self.layout.map(Layout::name),
            "warnings": self.warnings,
        });
        if let Some(survey) = &self.survey {
            json["source"] = json!({
                "events": survey.events,
                "persistence_ids": survey.ids,
                "deleted_events": survey.deleted,
                "histories_without_beginning": survey.late,
                "first_ordering": (survey.events > 0).then_some(survey.first_ordering),
                "last_ordering": survey.last_ordering,
                "tags": survey.tags,
                "tags_on_events": survey.tagged,
                "snapshots": survey.snapshots,
                "durable_states_not_imported": survey.states,
                "unfit": survey.unfit.iter().map(Unfit::json).collect::<Vec<_>>(),
            });
        }
        if let Some(standing) = &self.standing {
            json["journal"] = json!({
                "given_ordering": standing.given,
                "goes_on_behind_ordering": standing.after,
                "events_there": standing.behind_us,
                "persistence_ids_there": standing.ids_there,
                "refused": refusal,
            });
        }
        if let Some(imported) = &self.imported {
            json["imported"] = json!({
                "events": imported.events - imported.passed_over,
                "passed_over": imported.passed_over,
                "snapshots": self.snapshots_written,
                "marked_beginnings": self.marks,
                "events_in_the_source_since": self.since,
            });
        }
        if let Some(compared) = &self.compared {
            json["verified"] =
                json!({ "events": compared.events, "snapshots": compared.snapshots });
        }
        json
    }

    fn parts(&self, refusal: Option<&str>) -> Vec<Part> {
        let mut parts = vec![Part::Text(format!(
            "from {}\nto   {}\n",
            self.from, self.to
        ))];
        let mut rows = table(["what", "how many"]);
        let mut row = |what: &str, value: String| {
            rows.add_row([what, &value]);
        };
        if let Some(survey) = &self.survey {
            row("events in the source", survey.events.to_string());
            if survey.events > 0 {
                let (first, last) = (survey.first_ordering, survey.last_ordering);
                row("their orderings", format!("{first} to {last}"));
            }
            row("persistence ids", survey.ids.to_string());
            row("tags", format!("{}, {} times", survey.tags, survey.tagged));
            row("deleted events", survey.deleted.to_string());
            if survey.late > 0 {
                row("histories without their beginning", survey.late.to_string());
            }
            row("snapshots", survey.snapshots.to_string());
            if survey.states > 0 {
                let states = format!("{}, not imported", survey.states);
                row("durable states", states);
            }
        }
        if let Some(standing) = &self.standing {
            row(
                "highest ordering of the journal",
                standing.given.to_string(),
            );
            if standing.after > 0 {
                let there = format!("{}, up to ordering {}", standing.behind_us, standing.after);
                row("events there from before", there);
            }
        }
        if let Some(imported) = &self.imported {
            let events = imported.events - imported.passed_over;
            row("events imported", events.to_string());
            if imported.passed_over > 0 {
                row("events passed over", imported.passed_over.to_string());
            }
            row("snapshots imported", self.snapshots_written.to_string());
        }
        if let Some(compared) = &self.compared {
            let same = format!(
                "{} events, {} snapshots",
                compared.events, compared.snapshots
            );
            row("the same on both sides", same);
        }
        parts.push(Part::Rows(rows));
        let mut notes: Vec<String> = self.warnings.clone();
        let unfit = self.survey.iter().flat_map(|it| &it.unfit);
        notes.extend(unfit.map(|it| {
            let (rows, place) = (it.rows, it.place());
            let (reason, way_out) = (it.reason.said(), it.reason.way_out());
            format!(
                "cannot be brought over: {rows} rows, the first is {place}: {reason}; {way_out}"
            )
        }));
        notes.extend(refusal.map(str::to_owned));
        if self.since > 0 {
            notes.push(format!(
                "the source was written to meanwhile: {} events came behind those that were imported; stop the writers and run it again",
                self.since
            ));
        }
        parts.extend(
            notes
                .into_iter()
                .map(|note| Part::Text(format!("\n{note}"))),
        );
        parts
    }
}
