//! The loop that owns the queue: one statement is under way at a time, and what arrives meanwhile
//! gathers for the next.

use std::sync::Arc;

use annals_persistence::{PersistenceId, StateReadError, StoredState};
use ractor::RpcReplyPort;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};

use crate::pending::PendingWrite;
use crate::queue::{Limits, Queue};
use crate::reader::StateReader;
use crate::writer::StateWriter;

#[derive(Debug)]
pub(crate) enum Job {
    Write(PendingWrite),
    Get(PersistenceId, GetReply),
}

pub(crate) type GetReply = RpcReplyPort<Result<Option<StoredState>, StateReadError>>;

pub(crate) struct DispatcherHandle {
    jobs: mpsc::UnboundedSender<Job>,
    task: JoinHandle<()>,
}

pub(crate) struct Dispatcher {
    queue: Queue<PersistenceId, PendingWrite, GetReply>,
    writer: Arc<StateWriter>,
    reader: StateReader,
    /// The statement that is under way; gives whose writes it settled.
    writing: JoinSet<Vec<PersistenceId>>,
    /// Whose writes it holds, for the case that it panics.
    under_way: Vec<PersistenceId>,
    reading: JoinSet<()>,
    commits: watch::Sender<u64>,
}

const LIMITS: Limits = Limits {
    writes: 200,
    bytes: 4 * 1024 * 1024,
};

/// How many jobs are taken before a statement is formed.
const AT_ONCE: usize = 1024;

impl Dispatcher {
    pub(crate) fn spawn(
        writer: StateWriter,
        reader: StateReader,
        commits: watch::Sender<u64>,
    ) -> DispatcherHandle {
        let (jobs, work) = mpsc::unbounded_channel();
        let dispatcher = Self {
            queue: Queue::new(),
            writer: Arc::new(writer),
            reader,
            writing: JoinSet::new(),
            under_way: Vec::new(),
            reading: JoinSet::new(),
            commits,
        };
        let task = tokio::spawn(dispatcher.run(work));
        DispatcherHandle { jobs, task }
    }

    /// Runs until nothing more can arrive and everything that did is answered.
    async fn run(mut self, mut work: mpsc::UnboundedReceiver<Job>) {
        let mut arrived = Vec::with_capacity(AT_ONCE);
        let mut open = true;
        while open || !self.is_idle() {
            tokio::select! {
                biased;
                Some(written) = self.writing.join_next() => self.written(written),
                Some(read) = self.reading.join_next() => log_panic(read),
                count = work.recv_many(&mut arrived, AT_ONCE), if open => {
                    open = count > 0;
                    for job in arrived.drain(..) {
                        self.accept(job);
                    }
                }
            }
            self.send_batch();
        }
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.writing.is_empty() && self.reading.is_empty()
    }

    fn accept(&mut self, job: Job) {
        match job {
            Job::Write(write) => {
                let bytes = write.bytes();
                self.queue.write(write.persistence_id.clone(), write, bytes);
            }
            Job::Get(persistence_id, reply) => {
                if let Some(reply) = self.queue.read(persistence_id.clone(), reply) {
                    self.read(persistence_id, reply);
                }
            }
        }
    }

    fn send_batch(&mut self) {
        if !self.writing.is_empty() {
            return;
        }
        let batch = self.queue.next_batch(LIMITS);
        if batch.is_empty() {
            return;
        }
        self.under_way = batch.iter().map(|it| it.persistence_id.clone()).collect();
        let (writer, commits) = (Arc::clone(&self.writer), self.commits.clone());
        self.writing.spawn(async move {
            let ids = batch.iter().map(|it| it.persistence_id.clone()).collect();
            writer.write(batch).await;
            commits.send_modify(|count| *count += 1);
            ids
        });
    }

    fn written(&mut self, written: Result<Vec<PersistenceId>, JoinError>) {
        let ids = std::mem::take(&mut self.under_way);
        if let Err(error) = written {
            // Its authors learn that nobody answers.
            tracing::error!(error = %error, "a write of durable states panicked");
        }
        for (persistence_id, reply) in self.queue.settled(ids) {
            self.read(persistence_id, reply);
        }
    }

    fn read(&mut self, persistence_id: PersistenceId, reply: GetReply) {
        self.reading
            .spawn(self.reader.clone().serve(persistence_id, reply));
    }
}

impl DispatcherHandle {
    pub(crate) fn send(&self, job: Job) -> Result<(), JobLost> {
        self.jobs.send(job).map_err(|_| JobLost)
    }

    pub(crate) async fn finish(self) -> Result<(), JoinError> {
        drop(self.jobs);
        self.task.await
    }
}

#[derive(Debug, Error)]
#[error("the task that reads and writes durable states is gone")]
pub(crate) struct JobLost;

fn log_panic(read: Result<(), JoinError>) {
    if let Err(error) = read {
        tracing::error!(error = %error, "a read of a durable state panicked");
    }
}
