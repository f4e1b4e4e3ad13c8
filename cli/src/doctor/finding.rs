use serde_json::{Value, json};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Ok,
    Warn,
    Bad,
}

impl Level {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// What a check saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) level: Level,
    pub(super) what: String,
    /// What to do; empty where nothing is to be done.
    pub(super) remedy: String,
}

impl Finding {
    pub(super) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, what, "")
    }

    pub(super) fn warn(
        check: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(check, Level::Warn, what, remedy)
    }

    pub(super) fn bad(
        check: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(check, Level::Bad, what, remedy)
    }

    /// A check that came to no end says nothing of what it was to look at.
    pub(super) fn not_looked_at(check: &'static str, error: &Error) -> Self {
        let said = error
            .as_db_error()
            .map_or_else(|| error.to_string(), |it| it.message().to_owned());
        let remedy = match error.code() {
            Some(&SqlState::QUERY_CANCELED) => "run annals doctor --deep when the server has time",
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                "run it as the owner of the tables, or grant pg_monitor and select to the role"
            }
            _ => "see the log of the server",
        };
        Self::warn(check, format!("not looked at: {said}"), remedy)
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "check": self.check,
            "level": self.level.name(),
            "what": self.what,
            "remedy": self.remedy,
        })
    }

    fn new(
        check: &'static str,
        level: Level,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            check,
            level,
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

/// The findings, or that all is well where there are none.
pub(super) fn or_well(
    check: &'static str,
    findings: Vec<Finding>,
    well: impl Into<String>,
) -> Vec<Finding> {
    match findings.is_empty() {
        true => vec![Finding::ok(check, well)],
        false => findings,
    }
}
