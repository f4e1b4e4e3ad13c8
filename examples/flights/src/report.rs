use std::{cmp::Reverse, collections::BTreeMap, fmt::Write as _};

use crate::{Carrier, Event, Flight, Outcome, Totals};

/// What each carrier did, folded from events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    carriers: BTreeMap<Carrier, CarrierRow>,
}

/// What one carrier did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CarrierRow {
    departures: u64,
    departure_minutes: i64,
    arrivals: u64,
    arrivals_with_delay: u64,
    arrival_minutes: i64,
    cancellations: u64,
}

impl Report {
    /// The row of a carrier, which begins empty.
    pub fn carrier(&mut self, carrier: Carrier) -> &mut CarrierRow {
        self.carriers.entry(carrier).or_default()
    }

    /// Adds a flight of the file, as the one or two events that it becomes.
    pub fn flight(&mut self, flight: &Flight) {
        let row = self.carrier(flight.carrier);
        match flight.outcome {
            Outcome::Cancelled => row.cancelled(),
            Outcome::Departed { departure_delay } => row.departed(departure_delay),
            Outcome::Arrived {
                departure_delay,
                arrival_delay,
            } => {
                row.departed(departure_delay);
                row.arrived(arrival_delay);
            }
        }
    }

    /// Adds an event.
    pub fn event(&mut self, event: &Event) {
        let row = self.carrier(event.flight().carrier);
        match *event {
            Event::Departed { delay, .. } => row.departed(delay),
            Event::Arrived { delay, .. } => row.arrived(delay),
            Event::Cancelled { .. } => row.cancelled(),
        }
    }

    /// The rows, in the order of the codes.
    pub fn carriers(&self) -> impl Iterator<Item = (&Carrier, &CarrierRow)> {
        self.carriers.iter()
    }

    /// What all this amounts to, together with so many aircraft that were to fly so often.
    pub fn totals(&self, aircraft: i64, flights_of_aircraft: i64) -> Totals {
        let all = self.all();
        let natural = |number: i64| u64::try_from(number).unwrap_or_default();
        Totals {
            departed: all.departures,
            arrived: all.arrivals,
            cancelled: all.cancellations,
            tail_numbers: natural(aircraft),
            without_tail_number: all.flights().saturating_sub(natural(flights_of_aircraft)),
            arrivals_without_delay: all.arrivals.saturating_sub(all.arrivals_with_delay),
            by_carrier: self
                .carriers()
                .map(|(carrier, row)| (*carrier, row.flights()))
                .collect(),
        }
    }

    /// A table with one line a carrier, most flights first, and a last line for all of them.
    ///
    /// `names` gives the names of the carriers; one that it lacks appears without a name.
    pub fn table(&self, names: &BTreeMap<Carrier, String>) -> String {
        let mut carriers: Vec<_> = self.carriers.iter().collect();
        carriers.sort_by_key(|(_, row)| Reverse(row.flights()));
        let name = |carrier| names.get(carrier).map_or("", String::as_str);

        let mut lines = vec![HEADER.map(str::to_owned)];
        lines.extend(
            carriers
                .into_iter()
                .map(|(carrier, row)| row.line(carrier, name(carrier))),
        );
        lines.push(self.all().line("", "all carriers"));
        aligned(&lines)
    }

    fn all(&self) -> CarrierRow {
        self.carriers
            .values()
            .fold(CarrierRow::default(), |all, row| CarrierRow {
                departures: all.departures + row.departures,
                departure_minutes: all.departure_minutes + row.departure_minutes,
                arrivals: all.arrivals + row.arrivals,
                arrivals_with_delay: all.arrivals_with_delay + row.arrivals_with_delay,
                arrival_minutes: all.arrival_minutes + row.arrival_minutes,
                cancellations: all.cancellations + row.cancellations,
            })
    }
}

impl CarrierRow {
    /// Adds a departure, late by this many minutes.
    pub fn departed(&mut self, delay: i16) {
        self.departures += 1;
        self.departure_minutes += i64::from(delay);
    }

    /// Adds an arrival, late by this many minutes where that is known.
    pub fn arrived(&mut self, delay: Option<i16>) {
        self.arrivals += 1;
        if let Some(delay) = delay {
            self.arrivals_with_delay += 1;
            self.arrival_minutes += i64::from(delay);
        }
    }

    /// Adds a cancellation.
    pub fn cancelled(&mut self) {
        self.cancellations += 1;
    }

    /// Flights, departed or cancelled.
    pub fn flights(&self) -> u64 {
        self.departures + self.cancellations
    }

    /// Flights that left.
    pub fn departures(&self) -> u64 {
        self.departures
    }

    /// Flights that arrived.
    pub fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// Flights that never left.
    pub fn cancellations(&self) -> u64 {
        self.cancellations
    }

    /// Minutes of delay a departure; `None` without any.
    pub fn mean_departure_delay(&self) -> Option<f64> {
        mean(self.departure_minutes, self.departures)
    }

    /// Minutes of delay an arrival, among those whose delay is known; `None` without any.
    pub fn mean_arrival_delay(&self) -> Option<f64> {
        mean(self.arrival_minutes, self.arrivals_with_delay)
    }

    /// Everything that is counted, for a row of a database.
    pub(crate) fn numbers(&self) -> [i64; 6] {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        [
            whole(self.departures),
            self.departure_minutes,
            whole(self.arrivals),
            whole(self.arrivals_with_delay),
            self.arrival_minutes,
            whole(self.cancellations),
        ]
    }

    /// The row of those numbers.
    pub(crate) fn of(numbers: [i64; 6]) -> Self {
        let natural = |number: i64| u64::try_from(number).unwrap_or_default();
        let [
            departures,
            departure_minutes,
            arrivals,
            arrivals_with_delay,
            arrival_minutes,
            cancellations,
        ] = numbers;
        Self {
            departures: natural(departures),
            departure_minutes,
            arrivals: natural(arrivals),
            arrivals_with_delay: natural(arrivals_with_delay),
            arrival_minutes,
            cancellations: natural(cancellations),
        }
    }

    fn line(&self, code: &str, name: &str) -> [String; 7] {
        let minutes = |delay: Option<f64>| delay.map_or("-".to_owned(), |it| format!("{it:.1}"));
        [
            code.to_owned(),
            name.to_owned(),
            self.departures.to_string(),
            self.arrivals.to_string(),
            self.cancellations.to_string(),
            minutes(self.mean_departure_delay()),
            minutes(self.mean_arrival_delay()),
        ]
    }
}

const HEADER: [&str; 7] = [
    "code",
    "carrier",
    "departures",
    "arrivals",
    "cancelled",
    "late leaving (min)",
    "late arriving (min)",
];

/// How many columns are text, which stands to the left; numbers stand to the right.
const TEXTS: usize = 2;

fn mean(minutes: i64, flights: u64) -> Option<f64> {
    (flights > 0).then(|| minutes as f64 / flights as f64)
}

fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    });
    let mut table = String::new();
    for line in lines {
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let written = if column < TEXTS {
                write!(table, "{gap}{cell:<width$}")
            } else {
                write!(table, "{gap}{cell:>width$}")
            };
            written.expect("a String takes every write");
        }
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: &str) -> Carrier {
        code.parse().unwrap()
    }

    #[test]
    fn a_row_folds_events() {
        let mut row = CarrierRow::default();
        assert_eq!(row.mean_departure_delay(), None);
        assert_eq!(row.mean_arrival_delay(), None);
        row.departed(10);
        row.departed(-5);
        row.arrived(Some(-8));
        row.arrived(None);
        row.cancelled();
        assert_eq!(
            (
                row.flights(),
                row.departures(),
                row.arrivals(),
                row.cancellations()
            ),
            (3, 2, 2, 1)
        );
        assert_eq!(row.mean_departure_delay(), Some(2.5));
        // The arrival without a delay does not pull the mean to zero.
        assert_eq!(row.mean_arrival_delay(), Some(-8.0));
    }

    #[test]
    fn the_table_is_aligned_and_sorted_by_flights() {
        let mut report = Report::default();
        report.carrier(code("OO")).departed(12);
        for delay in [1, 2, 4] {
            report.carrier(code("UA")).departed(delay);
            report.carrier(code("UA")).arrived(Some(-delay));
        }
        report.carrier(code("AA")).cancelled();
        report.carrier(code("AA")).cancelled();
        let names = [
            (code("UA"), "United Air Lines Inc.".to_owned()),
            (code("AA"), "American Airlines Inc.".to_owned()),
        ]
        .into();
        assert_eq!(
            report.table(&names),
            "\
code  carrier                 departures  arrivals  cancelled  late leaving (min)  late arriving (min)
UA    United Air Lines Inc.            3         3          0                 2.3                 -2.3
AA    American Airlines Inc.           0         0          2                   -                    -
OO                                     1         0          0                12.0                    -
      all carriers                     4         3          2                 4.8                 -2.3
"
        );
    }
}
