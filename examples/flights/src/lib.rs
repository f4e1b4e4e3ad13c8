//! Every flight out of New York City in 2013: the data, its totals, and a report a carrier.
//!
//! This library does no I/O but decompress the file that is built into it, and knows nothing of
//! events or databases; the program beside it turns flights into events of aircraft.

mod code;
mod dataset;
mod dataset_error;
mod flight;
mod hour;
mod report;
mod table;
mod totals;

pub use code::{Airport, Carrier, Code, InvalidCode, TailNumber};
pub use dataset::{Flights, airlines, flights_of_2013};
pub use dataset_error::DatasetError;
pub use flight::{Flight, Outcome};
pub use hour::{InvalidHour, ScheduledHour};
pub use report::{CarrierRow, Report};
pub use totals::{Count, Difference, Quantity, Totals, TotalsDiffer};
