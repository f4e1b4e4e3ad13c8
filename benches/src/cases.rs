//! What `scripts/bench journal` can measure, by name.

use std::error::Error;
use std::time::Instant;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use glob::Pattern;

use crate::rounds::{Line, Plan};

type Measure = Box<dyn Fn(Plan) -> LocalBoxFuture<'static, Result<Vec<Line>, Box<dyn Error>>>>;

/// Something that is measured beside its yardstick and gives a line or more.
pub(crate) struct Case {
    lines: Vec<String>,
    measure: Measure,
}

impl Case {
    /// `measure` gives the lines of these names.
    pub(crate) fn new<F>(
        lines: impl IntoIterator<Item = impl Into<String>>,
        measure: impl Fn(Plan) -> F + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Vec<Line>, Box<dyn Error>>> + 'static,
    {
        Self {
            lines: lines.into_iter().map(Into::into).collect(),
            measure: Box::new(move |plan| measure(plan).boxed_local()),
        }
    }
}

/// Measures the cases that give a line of that name; the last lines printed are theirs.
pub(crate) async fn run(
    plan: &Plan,
    cases: Vec<Case>,
    wanted: &Pattern,
) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    let mut plan = plan.clone();
    plan.wanted = wanted.clone();
    let mut lines = Vec::new();
    for case in cases {
        if !case.lines.iter().any(|name| wanted.matches(name)) {
            continue;
        }
        let measured = (case.measure)(plan.clone()).await?;
        lines.extend(
            measured
                .into_iter()
                .filter(|line| wanted.matches(line.case())),
        );
    }
    if lines.is_empty() {
        return Err(format!("no case is named {wanted}; --case '*' measures all").into());
    }
    println!("\n{:.0?} in all\n\n{}", begin.elapsed(), Line::HEAD);
    for line in lines {
        line.print();
    }
    Ok(())
}
