use std::collections::{VecDeque, vec_deque};

use thiserror::Error;

use crate::{EventEnvelope, PersistenceId, SequenceNumber};

/// Looks at a replay for the marks that two writers of one persistence id have left, who did not
/// know of each other, and says what becomes of their events.
///
/// A journal whose key is (persistence id, sequence number) cannot hold such a history. One that
/// other software has written, on tables without that key, can. The settings and their defaults are
/// those of Pekko's replay filter.
///
/// ```
/// use annals_persistence::{PersistenceId, ReplayFilter, ReplayedEvent, SequenceNumber};
///
/// struct Row(u32, &'static str);
///
/// impl ReplayedEvent for Row {
///     fn sequence_number(&self) -> SequenceNumber {
///         self.0.into()
///     }
///     fn writer(&self) -> &str {
///         self.1
///     }
/// }
///
/// let cart = PersistenceId::of("Cart", "7")?;
/// let mut window = ReplayFilter::default().begin(cart);
/// let mut events = Vec::new();
/// // The writer "old" went on although "new" had taken over at 2.
/// for row in [Row(1, "old"), Row(2, "old"), Row(2, "new"), Row(3, "old"), Row(3, "new")] {
///     events.extend(window.accept(row)?);
/// }
/// events.extend(window.finish());
/// let kept: Vec<_> = events.iter().map(|row| (row.0, row.1)).collect();
/// assert_eq!(kept, [(1, "old"), (2, "new"), (3, "new")]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayFilter {
    /// What becomes of a mixed history.
    pub mode: ReplayFilterMode,
    /// How many events are held back, so that a newer writer can still displace them; at least one.
    pub window: usize,
    /// How many writers are remembered as replaced; at least one.
    pub max_old_writers: usize,
}

/// What becomes of a history that two writers have mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReplayFilterMode {
    /// Events of the writer that was replaced are left out and logged as warnings.
    #[default]
    RepairByDiscardOld,
    /// The replay fails.
    Fail,
    /// Every event passes, and a warning is logged.
    Warn,
    /// Every event passes at once, unseen.
    Off,
}

impl Default for ReplayFilter {
    /// Repairs, with a window of 100 events and 10 old writers.
    fn default() -> Self {
        Self {
            mode: ReplayFilterMode::default(),
            window: 100,
            max_old_writers: 10,
        }
    }
}

impl ReplayFilter {
    /// Looks at nothing.
    pub const OFF: Self = Self {
        mode: ReplayFilterMode::Off,
        window: 1,
        max_old_writers: 1,
    };

    /// Begins with the history of one persistence id.
    pub const fn begin<T: ReplayedEvent>(self, persistence_id: PersistenceId) -> ReplayWindow<T> {
        ReplayWindow {
            filter: self,
            persistence_id,
            held: VecDeque::new(),
            current: None,
            old_writers: VecDeque::new(),
            gone: None,
        }
    }
}

/// What the filter must know of an event.
pub trait ReplayedEvent {
    /// Its place among the events of its persistence id.
    fn sequence_number(&self) -> SequenceNumber;
    /// Which incarnation wrote it; empty where the row does not say.
    fn writer(&self) -> &str;
}

impl ReplayedEvent for EventEnvelope {
    fn sequence_number(&self) -> SequenceNumber {
        self.sequence_number
    }

    fn writer(&self) -> &str {
        &self.writer
    }
}

/// A history on its way through a [`ReplayFilter`]: never more than the filter's window of events
/// is held back.
#[derive(Debug)]
pub struct ReplayWindow<T> {
    filter: ReplayFilter,
    persistence_id: PersistenceId,
    held: VecDeque<T>,
    /// Who writes now, and how far it came.
    current: Option<Position>,
    /// Writers that were replaced, oldest first.
    old_writers: VecDeque<String>,
    /// The last event that left the window.
    gone: Option<Position>,
}

#[derive(Debug)]
struct Position {
    writer: String,
    sequence_number: SequenceNumber,
}

impl<T: ReplayedEvent> ReplayWindow<T> {
    /// Takes the next event and gives the one that leaves the window for it, if any.
    ///
    /// # Errors
    /// Two writers have mixed the history and the mode is `Fail`, or it cannot be repaired. Nothing
    /// more of the history is to be applied then.
    pub fn accept(&mut self, event: T) -> Result<Option<T>, ReplayFilterError> {
        if self.filter.mode == ReplayFilterMode::Off {
            return Ok(Some(event));
        }
        let stays = match self.current.as_mut() {
            Some(current) if current.writer == event.writer() => {
                // The same number again is no fault: an event that was split has it more than once.
                if event.sequence_number() >= current.sequence_number {
                    current.sequence_number = event.sequence_number();
                    true
                } else {
                    self.judge(|window| window.out_of_sequence(&event))?
                }
            }
            Some(_) if self.old_writers.iter().any(|old| old == event.writer()) => {
                self.judge(|window| window.old_writer(&event))?
            }
            _ => {
                self.change_writer(&event)?;
                true
            }
        };
        Ok(if stays { self.hold(event) } else { None })
    }

    /// The events that are still in the window, in order.
    pub fn finish(self) -> vec_deque::IntoIter<T> {
        self.held.into_iter()
    }

    /// From here on the writer of `event` is the one, and what another wrote at its number or
    /// behind it is displaced.
    fn change_writer(&mut self, event: &T) -> Result<(), ReplayFilterError> {
        let begins = event.sequence_number();
        if let Some(gone) = self.gone.as_ref().filter(|it| it.sequence_number >= begins) {
            if self.filter.mode == ReplayFilterMode::RepairByDiscardOld {
                return Err(self.beyond_window(event, gone));
            }
            self.judge(|window| window.overlap(event, gone.sequence_number, &gone.writer))?;
        }
        for older in self.held.iter().filter(|it| it.sequence_number() >= begins) {
            self.judge(|window| window.overlap(event, older.sequence_number(), older.writer()))?;
        }
        if self.filter.mode == ReplayFilterMode::RepairByDiscardOld {
            self.held.retain(|older| older.sequence_number() < begins);
        }
        let replaced = self.current.replace(Position {
            writer: event.writer().to_owned(),
            sequence_number: begins,
        });
        // Rows without a writer may be anybody's, so that nobody is known to be replaced.
        if let Some(old) = replaced.filter(|it| !it.writer.is_empty()) {
            if self.old_writers.len() >= self.filter.max_old_writers.max(1) {
                self.old_writers.pop_front();
            }
            self.old_writers.push_back(old.writer);
        }
        Ok(())
    }

    /// Whether the event at fault stays.
    fn judge(
        &self,
        fault: impl FnOnce(&Self) -> ReplayFilterError,
    ) -> Result<bool, ReplayFilterError> {
        let fault = fault(self);
        match self.filter.mode {
            ReplayFilterMode::Fail => Err(fault),
            ReplayFilterMode::RepairByDiscardOld => {
                tracing::warn!("an event is left out of the replay: {fault}");
                Ok(false)
            }
            ReplayFilterMode::Warn | ReplayFilterMode::Off => {
                tracing::warn!("a mixed history is replayed as it is: {fault}");
                Ok(true)
            }
        }
    }

    fn hold(&mut self, event: T) -> Option<T> {
        let full = self.held.len() >= self.filter.window.max(1);
        let leaves = full.then(|| self.held.pop_front()).flatten();
        self.held.push_back(event);
        if let Some(event) = &leaves {
            self.note_gone(event);
        }
        leaves
    }

    /// Copies the name of a writer only where it changes, not for each event.
    fn note_gone(&mut self, event: &T) {
        match &mut self.gone {
            Some(gone) if gone.writer == event.writer() => {
                gone.sequence_number = event.sequence_number();
            }
            gone => {
                *gone = Some(Position {
                    writer: event.writer().to_owned(),
                    sequence_number: event.sequence_number(),
                });
            }
        }
    }

    fn out_of_sequence(&self, event: &T) -> ReplayFilterError {
        ReplayFilterError::OutOfSequence {
            persistence_id: self.persistence_id.clone(),
            sequence_number: event.sequence_number(),
            writer: event.writer().to_owned(),
            reached: self.reached(),
        }
    }

    fn old_writer(&self, event: &T) -> ReplayFilterError {
        ReplayFilterError::OldWriter {
            persistence_id: self.persistence_id.clone(),
            sequence_number: event.sequence_number(),
            writer: event.writer().to_owned(),
            newer_writer: self
                .current
                .as_ref()
                .map(|it| it.writer.clone())
                .unwrap_or_default(),
            reached: self.reached(),
        }
    }

    fn overlap(
        &self,
        event: &T,
        older_event: SequenceNumber,
        older_writer: &str,
    ) -> ReplayFilterError {
        ReplayFilterError::Overlap {
            persistence_id: self.persistence_id.clone(),
            sequence_number: event.sequence_number(),
            writer: event.writer().to_owned(),
            older_event,
            older_writer: older_writer.to_owned(),
        }
    }

    fn beyond_window(&self, event: &T, gone: &Position) -> ReplayFilterError {
        ReplayFilterError::BeyondWindow {
            persistence_id: self.persistence_id.clone(),
            sequence_number: event.sequence_number(),
            writer: event.writer().to_owned(),
            older_event: gone.sequence_number,
            older_writer: gone.writer.clone(),
            window: self.filter.window.max(1),
        }
    }

    fn reached(&self) -> SequenceNumber {
        self.current
            .as_ref()
            .map_or(SequenceNumber::ZERO, |it| it.sequence_number)
    }
}

/// How the events of a history betray a second writer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReplayFilterError {
    /// A writer goes back behind an event of its own.
    #[error(
        "event {sequence_number} of {persistence_id} by writer {writer:?} comes behind event {reached} of the same writer: \
         the events were stored out of sequence, or two entities share the persistence id; \
         look at the rows, or replay with a filter that repairs"
    )]
    OutOfSequence {
        /// Whose history.
        persistence_id: PersistenceId,
        /// The event that is too late.
        sequence_number: SequenceNumber,
        /// Who wrote both.
        writer: String,
        /// How far the writer had come.
        reached: SequenceNumber,
    },
    /// A writer that was replaced went on writing.
    #[error(
        "event {sequence_number} of {persistence_id} is by writer {writer:?}, which writer {newer_writer:?} had replaced \
         and which has come to event {reached}: the old one went on writing, or two entities share the persistence id; \
         see that one process at a time runs the entity, or replay with a filter that repairs"
    )]
    OldWriter {
        /// Whose history.
        persistence_id: PersistenceId,
        /// The event of the old writer.
        sequence_number: SequenceNumber,
        /// The old writer.
        writer: String,
        /// The one that had replaced it.
        newer_writer: String,
        /// How far that one had come.
        reached: SequenceNumber,
    },
    /// A new writer begins at or before an event of an older one.
    #[error(
        "event {sequence_number} of {persistence_id} is the first by writer {writer:?}, \
         but writer {older_writer:?} has written event {older_event} already: \
         the new one did not know all events, or two entities share the persistence id; \
         see that one process at a time runs the entity, or replay with a filter that repairs"
    )]
    Overlap {
        /// Whose history.
        persistence_id: PersistenceId,
        /// The first event of the new writer.
        sequence_number: SequenceNumber,
        /// The new writer.
        writer: String,
        /// An event of the older writer with this number or a higher one.
        older_event: SequenceNumber,
        /// The older writer.
        older_writer: String,
    },
    /// A new writer displaces events that have left the window.
    #[error(
        "event {sequence_number} of {persistence_id} is the first by writer {writer:?}, \
         but event {older_event} of the older writer {older_writer:?} was replayed already and cannot be left out: \
         the window of {window} events is too small for this history; make it larger"
    )]
    BeyondWindow {
        /// Whose history.
        persistence_id: PersistenceId,
        /// The first event of the new writer.
        sequence_number: SequenceNumber,
        /// The new writer.
        writer: String,
        /// The last event that has left the window.
        older_event: SequenceNumber,
        /// Who wrote that one.
        older_writer: String,
        /// The window of the filter.
        window: usize,
    },
}

#[cfg(test)]
mod tests;
