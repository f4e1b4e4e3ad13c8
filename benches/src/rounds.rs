//! Ours and its yardstick, measured in turn.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use glob::Pattern;

use crate::database::Server;
use crate::meter::Meter;
use crate::sample::{median, spread};

/// Where and how much is measured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) server: Server,
    pub(crate) meter: Meter,
    pub(crate) rounds: usize,
    /// Of each measurement.
    pub(crate) time: Duration,
    /// The lines that are printed in the end.
    pub(crate) wanted: Pattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Yardstick,
}

/// What both sides gave, round by round.
pub(crate) struct Rounds<S> {
    ours: Vec<S>,
    yardstick: Vec<S>,
}

/// The last line of a case.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    case: String,
    ours: Vec<f64>,
    yardstick: Vec<f64>,
}

impl Plan {
    pub(crate) async fn on(
        server: &Server,
        rounds: usize,
        time: Duration,
    ) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            server: server.clone(),
            meter: Meter::of(&server.settings).await?,
            rounds,
            time,
            wanted: Pattern::default(),
        })
    }

    /// Each side once a round; who goes first alternates, so that neither always finds what the
    /// other left behind. A short measurement of both goes before, and does not count: connections
    /// learn the tables, plans and caches settle.
    pub(crate) async fn alternate<S: fmt::Display>(
        &self,
        case: &str,
        mut measure: impl AsyncFnMut(Side, Duration) -> Result<S, Box<dyn Error>>,
    ) -> Result<Rounds<S>, Box<dyn Error>> {
        for side in [Side::Ours, Side::Yardstick] {
            measure(side, self.time / 5).await?;
        }
        let (mut ours, mut yardstick) = (Vec::new(), Vec::new());
        for round in 1..=self.rounds {
            let mut sides = [Side::Ours, Side::Yardstick];
            if round % 2 == 0 {
                sides.reverse();
            }
            for side in sides {
                let sample = measure(side, self.time).await?;
                println!("{case}  round {round}  {side:<9}  {sample}");
                match side {
                    Side::Ours => ours.push(sample),
                    Side::Yardstick => yardstick.push(sample),
                }
            }
        }
        Ok(Rounds { ours, yardstick })
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ours => "ours",
            Self::Yardstick => "yardstick",
        })
    }
}

impl<S> Rounds<S> {
    /// One figure of the samples as a line of its own.
    pub(crate) fn line(&self, case: impl Into<String>, figure: impl Fn(&S) -> f64) -> Line {
        let of = |samples: &[S]| samples.iter().map(&figure).collect();
        Line::new(case, of(&self.ours), of(&self.yardstick))
    }
}

impl Line {
    pub(crate) const HEAD: &str = "case\tours\tyardstick\tratio\tspread";

    /// What was measured, round by round.
    pub(crate) fn new(case: impl Into<String>, ours: Vec<f64>, yardstick: Vec<f64>) -> Self {
        Self {
            case: case.into(),
            ours,
            yardstick,
        }
    }

    pub(crate) fn case(&self) -> &str {
        &self.case
    }

    /// Medians; the spread is that of the ratio, round by round.
    pub(crate) fn print(&self) {
        let pairs = self.ours.iter().zip(&self.yardstick);
        let ratios: Vec<f64> = pairs.map(|(ours, yardstick)| ours / yardstick).collect();
        let (least, most) = spread(&ratios);
        println!(
            "{}\t{:.0}\t{:.0}\t{:.2}\t{least:.2}-{most:.2}",
            self.case,
            median(self.ours.clone()),
            median(self.yardstick.clone()),
            median(ratios)
        );
    }
}
