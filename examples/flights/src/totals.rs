use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use thiserror::Error;

use crate::{Carrier, Flight, Outcome, TailNumber};

/// What flights amount to, counted row by row or event by event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Flights that left.
    pub departed: u64,
    /// Flights that arrived.
    pub arrived: u64,
    /// Flights that never left.
    pub cancelled: u64,
    /// Aircraft, each counted once.
    pub tail_numbers: u64,
    /// Flights to which no aircraft was assigned.
    pub without_tail_number: u64,
    /// Arrivals whose delay is unknown.
    pub arrivals_without_delay: u64,
    /// The flights of each carrier, departed or cancelled.
    pub by_carrier: BTreeMap<Carrier, u64>,
}

/// Counts up to [`Totals`]: flights from a file, or events from a journal.
#[derive(Debug, Clone, Default)]
pub struct Count {
    totals: Totals,
    tail_numbers: BTreeSet<TailNumber>,
}

/// One number that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Which number.
    pub quantity: Quantity,
    /// What it should be.
    pub expected: u64,
    /// What was counted.
    pub counted: u64,
}

/// Which of the totals a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// [`Totals::departed`]
    Departed,
    /// [`Totals::arrived`]
    Arrived,
    /// [`Totals::cancelled`]
    Cancelled,
    /// [`Totals::tail_numbers`]
    TailNumbers,
    /// [`Totals::without_tail_number`]
    WithoutTailNumber,
    /// [`Totals::arrivals_without_delay`]
    ArrivalsWithoutDelay,
    /// The entry of a carrier in [`Totals::by_carrier`]
    FlightsOf(Carrier),
}

/// The totals are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{}; were the flights loaded once, to the end, into an empty database?",
    list(differences)
)]
pub struct TotalsDiffer {
    /// Each number that differs; at least one.
    pub differences: Vec<Difference>,
}

impl Totals {
    /// The totals of the whole year, as they were published with the data.
    pub fn of_2013() -> Self {
        let by_carrier = [
            ("UA", 58_665),
            ("B6", 54_635),
            ("EV", 54_173),
            ("DL", 48_110),
            ("AA", 32_729),
            ("MQ", 26_397),
            ("US", 20_536),
            ("9E", 18_460),
            ("WN", 12_275),
            ("VX", 5_162),
            ("FL", 3_260),
            ("AS", 714),
            ("F9", 685),
            ("YV", 601),
            ("HA", 342),
            ("OO", 32),
        ];
        Self {
            departed: 328_521,
            arrived: 328_063,
            cancelled: 8_255,
            tail_numbers: 4_043,
            without_tail_number: 2_512,
            arrivals_without_delay: 717,
            by_carrier: by_carrier
                .map(|(code, flights)| (code.parse().expect("a carrier's code"), flights))
                .into(),
        }
    }

    /// All flights: each either departed or was cancelled.
    pub fn flights(&self) -> u64 {
        self.departed + self.cancelled
    }

    /// All events: one for each departure, arrival and cancellation.
    pub fn events(&self) -> u64 {
        self.departed + self.arrived + self.cancelled
    }

    /// Compares these totals, which were counted, with those that are expected.
    ///
    /// # Errors
    /// Names every number that differs.
    pub fn check(&self, expected: &Self) -> Result<(), TotalsDiffer> {
        // A carrier that only one side knows has no flights on the other.
        let carriers: BTreeSet<_> = [self, expected]
            .into_iter()
            .flat_map(|totals| totals.by_carrier.keys().copied())
            .collect();
        let differences: Vec<_> = Quantity::OF_ALL_CARRIERS
            .into_iter()
            .chain(carriers.into_iter().map(Quantity::FlightsOf))
            .map(|quantity| Difference {
                quantity,
                expected: expected.get(quantity),
                counted: self.get(quantity),
            })
            .filter(|it| it.expected != it.counted)
            .collect();
        if differences.is_empty() {
            Ok(())
        } else {
            Err(TotalsDiffer { differences })
        }
    }

    fn get(&self, quantity: Quantity) -> u64 {
        match quantity {
            Quantity::Departed => self.departed,
            Quantity::Arrived => self.arrived,
            Quantity::Cancelled => self.cancelled,
            Quantity::TailNumbers => self.tail_numbers,
            Quantity::WithoutTailNumber => self.without_tail_number,
            Quantity::ArrivalsWithoutDelay => self.arrivals_without_delay,
            Quantity::FlightsOf(carrier) => self.by_carrier.get(&carrier).copied().unwrap_or(0),
        }
    }
}

impl Count {
    /// Counts a flight of the file, as the one or two events that it becomes.
    pub fn flight(&mut self, flight: &Flight) {
        match flight.outcome {
            Outcome::Cancelled => self.cancelled(flight.carrier, flight.tail_number),
            Outcome::Departed { .. } => self.departed(flight.carrier, flight.tail_number),
            Outcome::Arrived { arrival_delay, .. } => {
                self.departed(flight.carrier, flight.tail_number);
                self.arrived(arrival_delay);
            }
        }
    }

    /// Counts a departure.
    pub fn departed(&mut self, carrier: Carrier, tail_number: Option<TailNumber>) {
        self.totals.departed += 1;
        self.scheduled(carrier, tail_number);
    }

    /// Counts an arrival; the delay in minutes, where it is known.
    pub fn arrived(&mut self, delay: Option<i16>) {
        self.totals.arrived += 1;
        self.totals.arrivals_without_delay += u64::from(delay.is_none());
    }

    /// Counts a cancellation.
    pub fn cancelled(&mut self, carrier: Carrier, tail_number: Option<TailNumber>) {
        self.totals.cancelled += 1;
        self.scheduled(carrier, tail_number);
    }

    /// What was counted so far.
    pub fn totals(&self) -> Totals {
        Totals {
            tail_numbers: self.tail_numbers.len() as u64,
            ..self.totals.clone()
        }
    }

    fn scheduled(&mut self, carrier: Carrier, tail_number: Option<TailNumber>) {
        *self.totals.by_carrier.entry(carrier).or_default() += 1;
        match tail_number {
            Some(tail_number) => {
                self.tail_numbers.insert(tail_number);
            }
            None => self.totals.without_tail_number += 1,
        }
    }
}

impl Quantity {
    const OF_ALL_CARRIERS: [Self; 6] = [
        Self::Departed,
        Self::Arrived,
        Self::Cancelled,
        Self::TailNumbers,
        Self::WithoutTailNumber,
        Self::ArrivalsWithoutDelay,
    ];
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Departed => f.write_str("departures"),
            Self::Arrived => f.write_str("arrivals"),
            Self::Cancelled => f.write_str("cancellations"),
            Self::TailNumbers => f.write_str("tail numbers"),
            Self::WithoutTailNumber => f.write_str("flights without a tail number"),
            Self::ArrivalsWithoutDelay => f.write_str("arrivals without a delay"),
            Self::FlightsOf(carrier) => write!(f, "flights of {carrier}"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            quantity,
            expected,
            counted,
        } = self;
        write!(f, "{quantity}: expected {expected}, counted {counted}")
    }
}

fn list(differences: &[Difference]) -> String {
    let lines: Vec<_> = differences.iter().map(Difference::to_string).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_adds_up() {
        let year = Totals::of_2013();
        assert_eq!(year.flights(), 336_776);
        assert_eq!(year.events(), 664_839);
        assert_eq!(year.by_carrier.len(), 16);
        assert_eq!(year.by_carrier.values().sum::<u64>(), year.flights());
    }

    #[test]
    fn events_count_as_the_flights_they_came_from() {
        let [ua, aa] = ["UA", "AA"].map(|code| code.parse::<Carrier>().unwrap());
        let tail_number = Some("N14228".parse().unwrap());
        let mut count = Count::default();
        count.departed(ua, tail_number);
        count.arrived(Some(-3));
        count.departed(ua, tail_number);
        count.arrived(None);
        count.departed(aa, tail_number);
        count.cancelled(aa, None);
        let totals = count.totals();
        assert_eq!(
            totals,
            Totals {
                departed: 3,
                arrived: 2,
                cancelled: 1,
                tail_numbers: 1,
                without_tail_number: 1,
                arrivals_without_delay: 1,
                by_carrier: [(ua, 2), (aa, 2)].into(),
            }
        );
        assert_eq!((totals.flights(), totals.events()), (4, 6));
    }

    #[test]
    fn every_difference_is_named() {
        let expected = Totals::of_2013();
        expected.check(&expected).unwrap();

        let mut counted = expected.clone();
        counted.arrived -= 1;
        counted.by_carrier.remove(&"OO".parse().unwrap());
        counted.by_carrier.insert("ZZ".parse().unwrap(), 7);
        let differ = counted.check(&expected).unwrap_err();
        assert_eq!(
            differ.differences[0],
            Difference {
                quantity: Quantity::Arrived,
                expected: 328_063,
                counted: 328_062,
            }
        );
        assert_eq!(
            differ.to_string(),
            "arrivals: expected 328063, counted 328062; \
             flights of OO: expected 32, counted 0; \
             flights of ZZ: expected 0, counted 7; \
             were the flights loaded once, to the end, into an empty database?"
        );
    }

    #[test]
    fn each_quantity_is_compared() {
        for change in [
            (|it| it.departed += 1) as fn(&mut Totals),
            |it| it.arrived += 1,
            |it| it.cancelled += 1,
            |it| it.tail_numbers += 1,
            |it| it.without_tail_number += 1,
            |it| it.arrivals_without_delay += 1,
            |it| *it.by_carrier.values_mut().next().unwrap() += 1,
        ] {
            let mut counted = Totals::of_2013();
            change(&mut counted);
            let differ = counted.check(&Totals::of_2013()).unwrap_err();
            assert_eq!(differ.differences.len(), 1, "{differ}");
        }
    }
}
