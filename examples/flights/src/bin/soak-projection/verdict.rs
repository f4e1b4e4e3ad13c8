use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use annals::Connection;
use flights::{CarrierRow, Flight, Report, read_carriers};

/// The rows that do not say what the file says.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    differences: Vec<String>,
}

impl Verdict {
    pub(crate) async fn of(
        flights: &[Flight],
        connection: &Connection,
    ) -> Result<Self, Box<dyn Error>> {
        let (report, _) = read_carriers(&**connection).await?;
        let mut of_the_file = Report::default();
        let mut aircraft_of_the_file = BTreeMap::<String, i64>::new();
        for flight in flights {
            of_the_file.flight(flight);
            if let Some(tail_number) = flight.tail_number {
                let flights = aircraft_of_the_file.entry(tail_number.to_string());
                *flights.or_default() += 1;
            }
        }
        let mut verdict = Self::default();
        verdict.compare(rows(&of_the_file), &rows(&report));
        let aircraft = connection
            .query("select tail_number, flights from aircraft", &[])
            .await?;
        let aircraft = aircraft.iter().map(|row| (row.get(0), row.get(1)));
        verdict.compare(aircraft_of_the_file, &aircraft.collect());
        Ok(verdict)
    }

    pub(crate) const fn wrong(&self) -> usize {
        self.differences.len()
    }

    fn compare<T: PartialEq + fmt::Debug>(
        &mut self,
        file: BTreeMap<String, T>,
        table: &BTreeMap<String, T>,
    ) {
        let unknown = table.iter().filter(|(key, _)| !file.contains_key(*key));
        let unknown =
            unknown.map(|(key, found)| format!("{key}: not in the file, counted {found:?}"));
        self.differences.extend(unknown);
        for (key, expected) in &file {
            let found = table.get(key);
            if found != Some(expected) {
                self.differences
                    .push(format!("{key}: expected {expected:?}, counted {found:?}"));
            }
        }
    }
}

fn rows(report: &Report) -> BTreeMap<String, CarrierRow> {
    let rows = report.carriers();
    rows.map(|(carrier, row)| (carrier.to_string(), *row))
        .collect()
}

/// The first of them.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in self.differences.iter().take(20) {
            writeln!(f, "{difference}")?;
        }
        Ok(())
    }
}
