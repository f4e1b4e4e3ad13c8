//! A journal of pekko-persistence-jdbc is brought over, as its users have it.

mod compared;
mod forms;
mod golden;
mod refused;
mod resumed;
mod source;
