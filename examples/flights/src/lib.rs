//! Every flight out of New York City in 2013, as events of the aircraft that flew it.
//!
//! The year is built in ([`flights_of_2013`]). Each aircraft is an entity that keeps a log book
//! ([`LogBook`]); [`load`] sends it its flights as commands, and [`read_carriers`] makes a table of
//! the events, found by tag.

mod carriers;
mod code;
mod dataset;
mod dataset_error;
mod flight;
mod hour;
mod load;
mod log_book;
mod report;
mod table;
mod totals;

pub use carriers::{CarriersError, read_carriers};
pub use code::{Airport, Carrier, Code, InvalidCode, TailNumber};
pub use dataset::{Flights, airlines, flights_of_2013};
pub use dataset_error::DatasetError;
pub use flight::{Flight, Outcome};
pub use hour::{InvalidHour, ScheduledHour};
pub use load::{LoadError, Loaded, Progress, load};
pub use log_book::{
    Aircraft, CarrierDesk, Command, Entry, Event, FlightKey, LogBook, Owner, Page, Recorded,
};
pub use report::{CarrierRow, Report};
pub use totals::{Count, Difference, Quantity, Totals, TotalsDiffer};
