//! The loop that owns the queue: takes what arrives, sends batches to lanes, and lets all else
//! through once the writes before them are settled.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use annals_persistence::{BrokenWriters, JournalMessage, PersistenceId, WriteError, WriteEvents};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::aside::Aside;
use crate::freed_lanes::FreedLanes;
use crate::lane::Freed;
use crate::pending::{FailedWrite, PendingWrite, WriteReply};
use crate::queue::{Policy, Queue};
use crate::reader::ReplayReader;
use crate::tag_ids::{TagIds, TagLiterals};

pub(crate) struct Dispatcher {
    queue: Queue<PendingWrite>,
    /// Whose failed writes are answered, while what they sent behind them may still be to come.
    broken: BrokenWriters,
    lanes: Vec<LaneHandle>,
    /// What is no write, of persistence ids whose writes are not settled.
    parked: HashMap<PersistenceId, Vec<JournalMessage>>,
    /// What waits behind a write whose tags have no numbers yet.
    tagging: HashMap<PersistenceId, VecDeque<JournalMessage>>,
    tag_ids: TagIds,
    reader: ReplayReader,
    aside: Aside,
    tagged: mpsc::UnboundedSender<Tagged>,
}

pub(crate) struct LaneHandle {
    pub(crate) batches: mpsc::UnboundedSender<Vec<PendingWrite>>,
    pub(crate) task: JoinHandle<()>,
}

/// A dispatcher at work.
pub(crate) struct Running {
    pub(crate) inbox: mpsc::UnboundedSender<JournalMessage>,
    /// When it is dropped the inbox takes no more.
    pub(crate) open: oneshot::Sender<()>,
    /// Ends when everything that came is answered.
    pub(crate) task: JoinHandle<()>,
}

struct Tagged {
    write: WriteEvents,
    reply: WriteReply,
    tags: Result<TagLiterals, WriteError>,
}

/// How many messages are taken before batches are formed again: as many as stay in a cache on their way.
const AT_ONCE: usize = 128;

impl Dispatcher {
    pub(crate) fn spawn(
        policy: Policy,
        patience: Duration,
        lanes: Vec<LaneHandle>,
        freed: FreedLanes,
        tag_ids: TagIds,
        reader: ReplayReader,
        aside: Aside,
    ) -> Running {
        let (inbox, messages) = mpsc::unbounded_channel();
        let (open, closed) = oneshot::channel();
        let (tagged, with_tags) = mpsc::unbounded_channel();
        let dispatcher = Self {
            queue: Queue::new(policy),
            broken: BrokenWriters::new(patience),
            lanes,
            parked: HashMap::new(),
            tagging: HashMap::new(),
            tag_ids,
            reader,
            aside,
            tagged,
        };
        let task = tokio::spawn(dispatcher.run(messages, closed, freed, with_tags));
        Running { inbox, open, task }
    }

    /// Runs until the inbox is closed and everything that arrived is answered.
    async fn run(
        mut self,
        mut messages: mpsc::UnboundedReceiver<JournalMessage>,
        mut closed: oneshot::Receiver<()>,
        freed: FreedLanes,
        mut with_tags: mpsc::UnboundedReceiver<Tagged>,
    ) {
        let mut arrived = Vec::with_capacity(AT_ONCE);
        let (mut open, mut closing) = (true, false);
        while open || !self.is_idle() {
            let wants_a_lane = !open || self.queue.is_waiting() || !self.parked.is_empty();
            tokio::select! {
                biased;
                _ = &mut closed, if !closing => {
                    closing = true;
                    messages.close();
                }
                () = freed.wait(wants_a_lane) => {}
                Some(tagged) = with_tags.recv() => self.tags_known(tagged),
                Some(()) = self.aside.next_served() => {}
                count = messages.recv_many(&mut arrived, AT_ONCE), if open => open = count > 0,
            }
            // A failed write that was answered is known before what its author sent then.
            for freed in freed.take() {
                self.lane_free(freed);
            }
            for message in arrived.drain(..) {
                self.accept(message);
            }
            self.send_batches();
        }
        while self.aside.next_served().await.is_some() {}
        self.reader.finish().await;
        for lane in self.lanes {
            drop(lane.batches);
            if let Err(error) = lane.task.await {
                tracing::error!(error = %error, "a lane of the journal panicked");
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.tagging.is_empty() && self.parked.is_empty()
    }

    fn accept(&mut self, message: JournalMessage) {
        if let Some(behind) = self.tagging.get_mut(persistence_id_of(&message)) {
            behind.push_back(message);
            return;
        }
        match message {
            JournalMessage::Write(write, reply) => self.accept_write(write, reply),
            other if self.queue.is_busy(persistence_id_of(&other)) => self
                .parked
                .entry(persistence_id_of(&other).clone())
                .or_default()
                .push(other),
            other => self.serve(other),
        }
    }

    fn accept_write(&mut self, write: WriteEvents, reply: WriteReply) {
        if let Err(error) = self.broken.admit(&write) {
            answer(write, reply, error);
            return;
        }
        match self.tag_ids.known(&write.events) {
            Some(tags) => self.enqueue(write, tags, reply),
            None => self.find_tags(write, reply),
        }
    }

    fn enqueue(&mut self, write: WriteEvents, tags: TagLiterals, reply: WriteReply) {
        self.queue.push(PendingWrite {
            write,
            tags,
            accepted: Instant::now(),
            reply,
        });
    }

    /// Beside the loop, so that new tags of one persistence id hold up no other.
    fn find_tags(&mut self, write: WriteEvents, reply: WriteReply) {
        self.tagging
            .insert(write.persistence_id.clone(), VecDeque::new());
        let (tag_ids, tagged) = (self.tag_ids.clone(), self.tagged.clone());
        tokio::spawn(async move {
            let tags = tag_ids.assign(&write).await;
            // Without a dispatcher there is nobody left to store it; the reply port says so.
            let _ = tagged.send(Tagged { write, reply, tags });
        });
    }

    fn tags_known(&mut self, tagged: Tagged) {
        let Tagged { write, reply, tags } = tagged;
        let behind = self
            .tagging
            .remove(&write.persistence_id)
            .unwrap_or_default();
        let failed = tags.is_err();
        match tags {
            Ok(tags) => self.enqueue(write, tags, reply),
            Err(error) => self.refuse(write, reply, error),
        }
        for message in behind {
            match message {
                JournalMessage::Write(write, reply) if failed => {
                    let error = WriteError::earlier_failed(&write);
                    self.refuse(write, reply, error);
                }
                other => self.accept(other),
            }
        }
    }

    fn refuse(&mut self, write: WriteEvents, reply: WriteReply, error: WriteError) {
        self.remember(FailedWrite::of(&write));
        answer(write, reply, error);
    }

    fn remember(&mut self, failed: FailedWrite) {
        let FailedWrite {
            persistence_id,
            writer,
            first,
        } = failed;
        self.broken.failed(persistence_id, writer, first);
    }

    fn lane_free(&mut self, freed: Freed) {
        let failed = freed.failed.iter().map(|failed| &failed.persistence_id);
        let (settled, behind) = self.queue.lane_free(freed.lane, failed);
        for failed in freed.failed {
            self.remember(failed);
        }
        for PendingWrite { write, reply, .. } in behind {
            let error = WriteError::earlier_failed(&write);
            self.refuse(write, reply, error);
        }
        if self.parked.is_empty() {
            return;
        }
        for persistence_id in settled {
            for message in self.parked.remove(&persistence_id).unwrap_or_default() {
                self.serve(message);
            }
        }
    }

    fn send_batches(&mut self) {
        while let Some((lane, batch)) = self.queue.next_batch() {
            if let Err(unsent) = self.lanes[lane].batches.send(batch) {
                // Only a lane that panicked takes no more; its authors learn that nobody answers.
                tracing::error!(
                    lane,
                    writes = unsent.0.len(),
                    "a lane of the journal is gone"
                );
            }
        }
    }

    fn serve(&mut self, message: JournalMessage) {
        match message {
            JournalMessage::Replay(replay, reply) => {
                self.reader.serve(replay, reply);
            }
            JournalMessage::Delete(delete, reply) => {
                self.aside.delete(delete, reply);
            }
            JournalMessage::Replace(replace, reply) => {
                self.aside.replace(replace, reply);
            }
            JournalMessage::Write(..) => unreachable!("writes go through the queue"),
        }
    }
}

fn answer(write: WriteEvents, reply: WriteReply, error: WriteError) {
    // The room in the journal is given back before the author can send the next write.
    drop(write);
    // An author that no longer waits loses nothing: nothing is stored.
    let _ = reply.send(Err(error));
}

fn persistence_id_of(message: &JournalMessage) -> &PersistenceId {
    match message {
        JournalMessage::Write(write, _) => &write.persistence_id,
        JournalMessage::Replay(replay, _) => &replay.persistence_id,
        JournalMessage::Delete(delete, _) => &delete.persistence_id,
        JournalMessage::Replace(replace, _) => &replace.persistence_id,
    }
}
