use annals_postgres::{
    Connection, JournalShape, MigrateError, MigrationPlan, Origin, check_ordering_sequence,
};

use super::finding::Finding;

const CHECK: &str = "schema";

/// The tables beside what the migrations make, and the migrations beside what was applied.
pub(super) async fn check(connection: &Connection) -> Vec<Finding> {
    let mut findings = match MigrationPlan::read(connection, None).await {
        Ok(plan) => vec![judge(&plan.origin, plan.version(), plan.pending().count())],
        Err(error @ MigrateError::SchemaNewer { .. }) => {
            vec![Finding::bad(
                CHECK,
                error.to_string(),
                "use the newer program",
            )]
        }
        Err(error) => vec![Finding::bad(CHECK, error.to_string(), "as it says")],
    };
    // A plan does not look at the tables of a journal that was migrated once.
    match JournalShape::read(connection).await {
        Ok(shape) => {
            if let Err(error) = check_ordering_sequence(connection, shape.layout).await {
                findings.push(Finding::bad(CHECK, error.to_string(), "as it says"));
            }
        }
        Err(error) => findings.push(Finding::bad(CHECK, error.to_string(), "as it says")),
    }
    findings
}

fn judge(origin: &Origin, version: i32, pending: usize) -> Finding {
    let up = "run annals migrate up";
    match (origin, pending) {
        (Origin::Fresh, _) => Finding::bad(CHECK, "there is no journal", up),
        (_, 0) => Finding::ok(
            CHECK,
            format!("version {version}, as the migrations made it"),
        ),
        (_, pending) => Finding::warn(CHECK, format!("{pending} migrations are due"), up),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn what_is_due_is_a_warning_and_no_journal_is_bad() {
        assert_eq!(judge(&Origin::Annals, 6, 0).level, Level::Ok);
        assert_eq!(judge(&Origin::Annals, 5, 1).level, Level::Warn);
        assert_eq!(judge(&Origin::Fresh, 0, 6).level, Level::Bad);
    }
}
