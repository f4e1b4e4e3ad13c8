#![doc = include_str!("docs.md")]

mod attempt;
mod control;
mod error;
mod failure;
mod group;
mod handler;
mod key;
mod known_tags;
mod lease;
mod orders;
mod projection;
mod projections;
mod rate;
mod runner;
mod running;
mod session;
mod share;
mod status;
mod table;
mod trouble;
mod worker;

pub use control::{Control, DeadLetter};
pub use error::{ProjectionError, ProjectionFailed};
pub use failure::OnFailure;
pub use handler::{EventHandler, Handled, HandlerError, TransactionHandler};
pub use key::ProjectionKey;
pub use projection::Projection;
pub use projections::Projections;
pub use running::Running;
pub use status::{Lag, LastError, RangeState, RangeStatus, Status};
