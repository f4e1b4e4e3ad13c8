use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;

use annals::{Effect, EventSourced, InvalidTag, Reply, Retention, Tags};
use serde::{Deserialize, Serialize};

use crate::{Airport, Carrier, Flight, Outcome, ScheduledHour};

/// Who keeps a log book.
pub trait Owner: Send + Sync + 'static {
    /// The entity type: what stands before the `|` of the persistence id.
    const ENTITY: &'static str;
}

/// An aircraft, by tail number: `Aircraft|N328AA`.
#[derive(Debug)]
pub struct Aircraft;

/// Those flights of a carrier that never got an aircraft: `Carrier|UA`.
#[derive(Debug)]
pub struct CarrierDesk;

impl Owner for Aircraft {
    const ENTITY: &'static str = "Aircraft";
}

impl Owner for CarrierDesk {
    const ENTITY: &'static str = "Carrier";
}

/// The flights of one owner, summed up.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct LogBook<O> {
    /// The row of the last flight in it: rows up to here are recorded already.
    last_row: u32,
    flights: u64,
    cancelled: u64,
    miles: u64,
    last_five: VecDeque<Entry>,
    owner: PhantomData<fn() -> O>,
}

/// One line of a log book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The flight.
    pub flight: FlightKey,
    /// Minutes late at departure; `None` if it was cancelled.
    pub departure_delay: Option<i16>,
    /// Minutes late at arrival, where that is known.
    pub arrival_delay: Option<i16>,
}

/// Which flight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlightKey {
    /// Its row in the file, from 1.
    pub row: u32,
    /// The hour (UTC) in which it was to leave.
    pub scheduled: ScheduledHour,
    /// Who flew it.
    pub carrier: Carrier,
    /// Its number at that carrier.
    pub number: u16,
    /// Where it was to leave.
    pub origin: Airport,
    /// Where it was to arrive.
    pub dest: Airport,
    /// The way in miles.
    pub distance: u16,
}

/// What happened to a flight. Delays are minutes; early is negative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It left.
    Departed {
        /// Which flight.
        flight: FlightKey,
        /// How late.
        delay: i16,
    },
    /// It arrived.
    Arrived {
        /// Which flight.
        flight: FlightKey,
        /// How late; unknown where it was diverted.
        delay: Option<i16>,
    },
    /// It never left.
    Cancelled {
        /// Which flight.
        flight: FlightKey,
    },
}

/// What an owner is asked.
#[derive(Debug)]
pub enum Command {
    /// Take a flight into the log book. Rows come in ascending order; one that is there already is
    /// not taken again, so that a load that was cut off can simply be repeated.
    Record {
        /// Its row in the file, from 1.
        row: u32,
        /// The flight.
        flight: Flight,
        /// What became of it.
        reply: Reply<Recorded>,
    },
    /// Show the log book.
    Show(Reply<Page>),
}

/// What became of a flight that was to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Its events are stored now.
    Now,
    /// They were stored before.
    Before,
}

/// What a log book shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Flights that left.
    pub flights: u64,
    /// Flights that never left.
    pub cancelled: u64,
    /// Miles of the flights that left.
    pub miles: u64,
    /// The last five, oldest first.
    pub last_five: Vec<Entry>,
}

impl FlightKey {
    /// The flight in that row.
    pub fn of(row: u32, flight: &Flight) -> Self {
        Self {
            row,
            scheduled: flight.scheduled,
            carrier: flight.carrier,
            number: flight.number,
            origin: flight.origin,
            dest: flight.dest,
            distance: flight.distance,
        }
    }
}

impl Event {
    /// The flight that it happened to.
    pub fn flight(&self) -> &FlightKey {
        match self {
            Self::Departed { flight, .. }
            | Self::Arrived { flight, .. }
            | Self::Cancelled { flight } => flight,
        }
    }

    fn all_of(row: u32, flight: &Flight) -> Vec<Self> {
        let key = FlightKey::of(row, flight);
        let departed = |delay| Self::Departed { flight: key, delay };
        match flight.outcome {
            Outcome::Cancelled => vec![Self::Cancelled { flight: key }],
            Outcome::Departed { departure_delay } => vec![departed(departure_delay)],
            Outcome::Arrived {
                departure_delay,
                arrival_delay: delay,
            } => vec![
                departed(departure_delay),
                Self::Arrived { flight: key, delay },
            ],
        }
    }
}

impl<O: Owner> EventSourced for LogBook<O> {
    const ENTITY: &'static str = O::ENTITY;
    type Command = Command;
    type Event = Event;

    fn handle(&self, command: Command) -> Effect<Self> {
        match command {
            Command::Record { row, reply, .. } if row <= self.last_row => {
                self.reply(reply, Recorded::Before)
            }
            Command::Record { row, flight, reply } => self
                .persist_all(Event::all_of(row, &flight))
                .reply(reply, Recorded::Now),
            Command::Show(reply) => self.reply(reply, self.page()),
        }
    }

    fn apply(&mut self, event: Event) {
        self.last_row = event.flight().row;
        match event {
            Event::Departed { flight, delay } => {
                self.flights += 1;
                self.miles += u64::from(flight.distance);
                self.enter(flight, Some(delay));
            }
            Event::Arrived { delay, .. } => {
                if let Some(entry) = self.last_five.back_mut() {
                    entry.arrival_delay = delay;
                }
            }
            Event::Cancelled { flight } => {
                self.cancelled += 1;
                self.enter(flight, None);
            }
        }
    }

    fn tags(event: &Event) -> Result<Tags, InvalidTag> {
        let flight = event.flight();
        Tags::of([
            format!("carrier:{}", flight.carrier),
            format!("origin:{}", flight.origin),
            format!("dest:{}", flight.dest),
        ])
    }

    fn retention() -> Retention {
        Retention::snapshot_every(100)
    }
}

impl<O> LogBook<O> {
    fn enter(&mut self, flight: FlightKey, departure_delay: Option<i16>) {
        if self.last_five.len() == 5 {
            self.last_five.pop_front();
        }
        self.last_five.push_back(Entry {
            flight,
            departure_delay,
            arrival_delay: None,
        });
    }

    fn page(&self) -> Page {
        Page {
            flights: self.flights,
            cancelled: self.cancelled,
            miles: self.miles,
            last_five: self.last_five.iter().cloned().collect(),
        }
    }
}

impl<O> Default for LogBook<O> {
    fn default() -> Self {
        Self {
            last_row: 0,
            flights: 0,
            cancelled: 0,
            miles: 0,
            last_five: VecDeque::new(),
            owner: PhantomData,
        }
    }
}

impl<O> fmt::Debug for LogBook<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.page().fmt(f)
    }
}
