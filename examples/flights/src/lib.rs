//! Every flight out of New York City in 2013, as events of the aircraft that flew it.
//!
//! The year is built in ([`flights_of_2013`]). Each aircraft is an entity that keeps a log book
//! ([`LogBook`]); [`load`] sends it its flights as commands, and a projection, [`carriers`], keeps a table
//! of what the events say.

mod carriers;
mod catch_up;
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

pub use carriers::{Carriers, carriers, make_carriers, read_carriers};
pub use catch_up::{CatchUpError, CaughtUp, catch_up};
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
