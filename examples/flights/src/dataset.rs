use std::{collections::BTreeMap, fmt, io::Read, iter::FusedIterator, str::FromStr};

use flate2::read::GzDecoder;

use crate::{
    Airport, Carrier, DatasetError, Flight, Outcome, ScheduledHour, TailNumber,
    table::{Column, Table},
};

const FLIGHTS: &[u8] = include_bytes!("../data/flights-2013.csv.gz");
const AIRLINES: &[u8] = include_bytes!("../data/airlines.csv");

const A_CARRIER: &str = "two capital letters or digits";
const AN_AIRPORT: &str = "three capital letters or digits";
const A_TAIL_NUMBER: &str = "two to six capital letters or digits, or empty";
const AN_HOUR: &str = "an hour written as 2013-01-01T10:00:00Z";
const A_NUMBER: &str = "a whole number from 0 to 65535";
const AN_OUTCOME: &str = "cancelled, departed or arrived";
const MINUTES: &str = "a whole number of minutes";
const MINUTES_OR_EMPTY: &str = "a whole number of minutes, or empty";
const EMPTY: &str = "empty, as a flight with this outcome has no such delay";

/// The flights of 2013 that are built into this program, in scheduled order.
///
/// # Errors
/// Only if the file that was built in is damaged.
pub fn flights_of_2013() -> Result<Flights<impl Read + fmt::Debug>, DatasetError> {
    Flights::read(GzDecoder::new(FLIGHTS))
}

/// The names of the 16 carriers, built into this program too.
///
/// # Errors
/// Only if the file that was built in is damaged.
pub fn airlines() -> Result<BTreeMap<Carrier, String>, DatasetError> {
    read_airlines(AIRLINES)
}

/// The flights of a file, one row at a time in the order of the file.
///
/// A malformed row is one error, and the rows after it can still be read. A file that cannot be
/// read further ends after its error.
#[derive(Debug)]
pub struct Flights<R> {
    table: Table<R>,
    columns: FlightColumns,
}

#[derive(Debug)]
struct FlightColumns {
    time_hour: Column,
    carrier: Column,
    flight: Column,
    tailnum: Column,
    origin: Column,
    dest: Column,
    distance: Column,
    outcome: Column,
    dep_delay: Column,
    arr_delay: Column,
}

impl<R: Read> Flights<R> {
    /// Reads a CSV (not compressed) that has the columns of `data/README.md`, in any order.
    ///
    /// # Errors
    /// Where the header cannot be read or lacks a column.
    pub fn read(csv: R) -> Result<Self, DatasetError> {
        let table = Table::read(csv)?;
        let columns = FlightColumns {
            time_hour: table.column("time_hour")?,
            carrier: table.column("carrier")?,
            flight: table.column("flight")?,
            tailnum: table.column("tailnum")?,
            origin: table.column("origin")?,
            dest: table.column("dest")?,
            distance: table.column("distance")?,
            outcome: table.column("outcome")?,
            dep_delay: table.column("dep_delay")?,
            arr_delay: table.column("arr_delay")?,
        };
        Ok(Self { table, columns })
    }

    fn flight(&self) -> Result<Flight, DatasetError> {
        let Self { table, columns } = self;
        Ok(Flight {
            scheduled: table.required(columns.time_hour, AN_HOUR, ScheduledHour::from_bytes)?,
            carrier: table.required(columns.carrier, A_CARRIER, Carrier::from_bytes)?,
            number: table.required(columns.flight, A_NUMBER, number)?,
            tail_number: table.optional(columns.tailnum, A_TAIL_NUMBER, TailNumber::from_bytes)?,
            origin: table.required(columns.origin, AN_AIRPORT, Airport::from_bytes)?,
            dest: table.required(columns.dest, AN_AIRPORT, Airport::from_bytes)?,
            distance: table.required(columns.distance, A_NUMBER, number)?,
            outcome: self.outcome()?,
        })
    }

    fn outcome(&self) -> Result<Outcome, DatasetError> {
        let Self { table, columns } = self;
        match table.value(columns.outcome) {
            b"cancelled" => {
                table.empty(columns.dep_delay, EMPTY)?;
                table.empty(columns.arr_delay, EMPTY)?;
                Ok(Outcome::Cancelled)
            }
            b"departed" => {
                table.empty(columns.arr_delay, EMPTY)?;
                Ok(Outcome::Departed {
                    departure_delay: table.required(columns.dep_delay, MINUTES, number)?,
                })
            }
            b"arrived" => Ok(Outcome::Arrived {
                departure_delay: table.required(columns.dep_delay, MINUTES, number)?,
                arrival_delay: table.optional(columns.arr_delay, MINUTES_OR_EMPTY, number)?,
            }),
            _ => Err(table.malformed(columns.outcome, AN_OUTCOME)),
        }
    }
}

impl<R: Read> Iterator for Flights<R> {
    type Item = Result<Flight, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.table.advance() {
            Ok(true) => Some(self.flight()),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl<R: Read> FusedIterator for Flights<R> {}

fn read_airlines(csv: impl Read) -> Result<BTreeMap<Carrier, String>, DatasetError> {
    let mut table = Table::read(csv)?;
    let (carrier, name) = (table.column("carrier")?, table.column("name")?);
    let mut airlines = BTreeMap::new();
    while table.advance()? {
        airlines.insert(
            table.required(carrier, A_CARRIER, Carrier::from_bytes)?,
            table.required(name, "a name in UTF-8", |bytes| {
                String::from_utf8(bytes.to_vec()).ok()
            })?,
        );
    }
    Ok(airlines)
}

fn number<N: FromStr>(digits: &[u8]) -> Option<N> {
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Count, Report, Totals};

    const HEADER: &str =
        "time_hour,carrier,flight,tailnum,origin,dest,distance,outcome,dep_delay,arr_delay";
    const ARRIVED: &str = "2013-01-01T10:00:00Z,UA,1545,N14228,EWR,IAH,1400,arrived,2,-11";

    fn rows(rows: &[&str]) -> Vec<Result<Flight, DatasetError>> {
        let csv = [&[HEADER], rows].concat().join("\n");
        Flights::read(csv.as_bytes()).unwrap().collect()
    }

    /// The error of a file whose third line is `ARRIVED` with one value replaced.
    fn error_with(column: &str, value: &str) -> String {
        let at = HEADER.split(',').position(|name| name == column).unwrap();
        let mut values: Vec<_> = ARRIVED.split(',').collect();
        values[at] = value;
        let row = values.join(",");
        let [Ok(_), Err(error), Ok(_)] = &rows(&[ARRIVED, &row, ARRIVED])[..] else {
            panic!("one error, and the rows around it, where {column} is {value:?}");
        };
        assert!(matches!(error, DatasetError::MalformedRow { line: 3, .. }));
        error.to_string()
    }

    #[test]
    fn the_built_in_file_is_the_whole_year_in_scheduled_order() {
        let mut count = Count::default();
        let mut report = Report::default();
        let mut last = None;
        for flight in flights_of_2013().unwrap() {
            let flight = flight.unwrap();
            assert!(last <= Some(flight.scheduled), "{flight:?} after {last:?}");
            last = Some(flight.scheduled);
            count.flight(&flight);
            report.flight(&flight);
        }
        let totals = count.totals();
        totals.check(&Totals::of_2013()).unwrap();
        assert_eq!((totals.flights(), totals.events()), (336_776, 664_839));
        // Counted from the untrimmed file by a program of its own.
        for (code, departures, arrivals, cancelled, departure_delay, arrival_delay) in [
            ("UA", 57_979, 57_916, 686, 12.11, 3.56),
            ("EV", 51_356, 51_251, 2_817, 19.96, 15.80),
            ("AS", 712, 712, 2, 5.80, -9.93),
            ("HA", 342, 342, 0, 4.90, -6.92),
            ("OO", 29, 29, 3, 12.59, 11.93),
        ] {
            let row = report.carrier(code.parse().unwrap());
            assert_eq!(
                (row.departures(), row.arrivals(), row.cancellations()),
                (departures, arrivals, cancelled),
                "{code}"
            );
            assert!((row.mean_departure_delay().unwrap() - departure_delay).abs() < 0.005);
            assert!((row.mean_arrival_delay().unwrap() - arrival_delay).abs() < 0.005);
        }
    }

    #[test]
    fn every_carrier_of_the_year_has_a_name() {
        let airlines = airlines().unwrap();
        let named: Vec<_> = airlines.keys().copied().collect();
        let flown: Vec<_> = Totals::of_2013().by_carrier.into_keys().collect();
        assert_eq!(named, flown);
        assert_eq!(airlines[&"OO".parse().unwrap()], "SkyWest Airlines Inc.");
    }

    #[test]
    fn a_row_becomes_a_flight() {
        let flights: Vec<_> = rows(&[
            ARRIVED,
            "2013-01-01T20:00:00Z,MQ,4525,N719MQ,LGA,XNA,1147,arrived,-5,",
            "2013-01-02T00:00:00Z,EV,4204,N14168,EWR,OKC,1325,departed,46,",
            "2013-01-02T20:00:00Z,AA,133,,JFK,LAX,2475,cancelled,,",
        ])
        .into_iter()
        .map(Result::unwrap)
        .collect();
        assert_eq!(
            flights[0],
            Flight {
                scheduled: "2013-01-01T10:00:00Z".parse().unwrap(),
                carrier: "UA".parse().unwrap(),
                number: 1545,
                tail_number: Some("N14228".parse().unwrap()),
                origin: "EWR".parse().unwrap(),
                dest: "IAH".parse().unwrap(),
                distance: 1400,
                outcome: Outcome::Arrived {
                    departure_delay: 2,
                    arrival_delay: Some(-11),
                },
            }
        );
        assert_eq!(
            flights[1].outcome,
            Outcome::Arrived {
                departure_delay: -5,
                arrival_delay: None,
            }
        );
        assert_eq!(
            flights[2].outcome,
            Outcome::Departed {
                departure_delay: 46
            }
        );
        assert_eq!(flights[3].outcome, Outcome::Cancelled);
        assert_eq!(flights[3].tail_number, None);
    }

    #[test]
    fn the_columns_may_stand_in_any_order() {
        let reversed = |line: &str| line.rsplit(',').collect::<Vec<_>>().join(",");
        let csv = format!("{}\n{}\n", reversed(HEADER), reversed(ARRIVED));
        let mut flights = Flights::read(csv.as_bytes()).unwrap();
        assert_eq!(
            flights.next().unwrap().unwrap(),
            *rows(&[ARRIVED])[0].as_ref().unwrap()
        );
        assert!(flights.next().is_none());
    }

    #[test]
    fn a_malformed_value_is_named_with_its_line_and_what_was_expected() {
        for (column, value, expected) in [
            ("time_hour", "2013-01-01", AN_HOUR),
            ("carrier", "United", A_CARRIER),
            ("carrier", "", A_CARRIER),
            ("flight", "15x", A_NUMBER),
            ("flight", "65536", A_NUMBER),
            ("tailnum", "n14228", A_TAIL_NUMBER),
            ("origin", "New York", AN_AIRPORT),
            ("dest", "", AN_AIRPORT),
            ("distance", "-1", A_NUMBER),
            ("outcome", "diverted", AN_OUTCOME),
            ("dep_delay", "2.5", MINUTES),
            ("dep_delay", "", MINUTES),
            ("arr_delay", "NA", MINUTES_OR_EMPTY),
        ] {
            assert_eq!(
                error_with(column, value),
                format!(
                    "line 3, column {column}: found {value:?}, expected {expected}; correct that row"
                )
            );
        }
    }

    #[test]
    fn a_delay_that_the_outcome_cannot_have_is_malformed() {
        for (outcome, column) in [("cancelled", "dep_delay"), ("departed", "arr_delay")] {
            let message = error_with("outcome", outcome);
            assert!(message.contains(column), "{message}");
            assert!(message.contains(EMPTY), "{message}");
        }
    }

    #[test]
    fn a_missing_column_is_named_with_the_header_that_was_found() {
        let header = HEADER.replace("outcome", "result");
        let error = Flights::read(header.as_bytes()).unwrap_err();
        assert!(
            matches!(&error, DatasetError::MissingColumn { column: "outcome", header: found } if *found == header),
            "{error}"
        );
        let error = Flights::read(&b""[..]).unwrap_err();
        assert!(
            matches!(
                &error,
                DatasetError::MissingColumn {
                    column: "time_hour",
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_row_with_too_few_values_is_an_error_of_its_own() {
        let flights = rows(&["2013-01-01T10:00:00Z,UA,1545", ARRIVED]);
        assert!(matches!(
            flights[..],
            [
                Err(DatasetError::UnevenRow {
                    line: 2,
                    found: 3,
                    expected: 10
                }),
                Ok(_)
            ]
        ));
    }

    #[test]
    fn a_file_cut_short_ends_after_its_error() {
        let half = &FLIGHTS[..FLIGHTS.len() / 100];
        let mut flights = Flights::read(GzDecoder::new(half)).unwrap();
        let error = flights.find_map(Result::err).unwrap();
        assert!(
            matches!(&error, DatasetError::Unreadable { line, .. } if *line > 1_000),
            "{error}"
        );
        assert!(flights.next().is_none());
    }
}
