use std::collections::HashMap;
use std::sync::Arc;

use annals_persistence::{Offset, QueryRef, ReaderPositions, SliceRange};
use annals_postgres::{Connection, Settings, connect};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::orders::{Listener, Orders};
use crate::share::{Moves, Seat, moves};
use crate::table::{Beat, RangeKey, beat, leave};
use crate::trouble::Trouble;
use crate::worker::{Ended, Worker};
use crate::{Projection, ProjectionFailed, ProjectionKey};

/// Runs one process's share of a version: gives a sign of life, and starts and ends the workers.
pub(crate) struct Runner {
    pub(crate) projection: Arc<Projection>,
    pub(crate) member: Arc<str>,
    pub(crate) settings: Settings,
    pub(crate) query: QueryRef,
    pub(crate) readers: Option<ReaderPositions>,
    pub(crate) stop: watch::Receiver<bool>,
}

/// The workers that run.
#[derive(Default)]
struct Workers {
    tasks: JoinSet<Ended>,
    ranges: HashMap<u16, watch::Sender<Orders>>,
    first_slices: HashMap<Id, u16>,
}

impl Runner {
    pub(crate) async fn run(self) -> Result<(), ProjectionFailed> {
        let mut workers = Workers::default();
        let outcome = self.serve(&mut workers).await;
        workers.release_all();
        while workers.tasks.join_next().await.is_some() {}
        // The others find out by themselves, only later.
        if let Ok(connection) = connect(&self.settings).await {
            let _ = leave(&connection, self.key(), &self.member).await;
            connection.close().await;
        }
        outcome
    }

    /// Until it is to stop, or something ended it.
    async fn serve(&self, workers: &mut Workers) -> Result<(), ProjectionFailed> {
        let mut connection = None;
        let mut stop = self.stop.clone();
        let mut beats = interval(self.projection.lease.beat());
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = told(&mut stop) => return Ok(()),
                Some(ended) = workers.tasks.join_next_with_id() => match workers.ended(ended) {
                    Ended::LetGo => {}
                    Ended::NoQueries => return Ok(()),
                    Ended::Failed(failed) => return Err(failed),
                },
                _ = beats.tick() => {
                    let asked = Instant::now();
                    match self.beat(&mut connection).await {
                        Ok(Some(beat)) => self.act(beat, asked, workers),
                        Ok(None) => {
                            let key = self.key().clone();
                            return Err(ProjectionFailed::Forgotten { key });
                        }
                        Err(error) => {
                            connection = None;
                            let error = crate::failure::chain(&error);
                            tracing::warn!(projection = %self.key(), error, "a sign of life was not given");
                        }
                    }
                }
            }
        }
    }

    async fn beat(&self, connection: &mut Option<Connection>) -> Result<Option<Beat>, Trouble> {
        let (key, lease) = (self.key(), self.projection.lease);
        let beating = async {
            let connection = match connection {
                Some(connection) => connection,
                None => connection.insert(connect(&self.settings).await?),
            };
            Ok(beat(connection, key, &self.member, lease).await?)
        };
        match tokio::time::timeout(lease.length(), beating).await {
            Ok(beat) => beat,
            Err(_) => Err(Trouble::Silence),
        }
    }

    fn act(&self, beat: Beat, asked: Instant, workers: &mut Workers) {
        let good_until = self.projection.lease.holds_until(asked);
        for row in &beat.ranges {
            if let Some(orders) = workers.ranges.get(&row.slices.first().get()) {
                orders.send_modify(|orders| {
                    orders.good_until = good_until;
                    orders.epoch = row.epoch;
                    orders.redrives += u64::from(row.redrive);
                });
            }
        }
        if let Some(readers) = &self.readers {
            declare(readers, self.key(), &beat);
        }
        let Moves { take, release } = match beat.paused {
            true => Moves {
                take: Vec::new(),
                release: workers.ranges.keys().copied().collect(),
            },
            false => {
                let seats = beat.ranges.iter().filter(|it| !it.stopped).map(|row| {
                    let range = row.slices.first().get();
                    // A worker that is about to take it counts as well.
                    let holder = match workers.ranges.contains_key(&range) {
                        true => Some(self.member.to_string()),
                        false => row.holder.clone().filter(|it| **it != *self.member),
                    };
                    Seat { range, holder }
                });
                moves(&self.member, &beat.members, &seats.collect::<Vec<Seat>>())
            }
        };
        for range in release {
            workers.release(range);
        }
        for row in &beat.ranges {
            if take.contains(&row.slices.first().get()) {
                self.start(row.slices, row.epoch, good_until, workers);
            }
        }
    }

    fn start(&self, slices: SliceRange, epoch: i64, good_until: Instant, workers: &mut Workers) {
        let (sender, orders) = watch::channel(Orders {
            good_until,
            epoch,
            release: false,
            redrives: 0,
        });
        let worker = Worker {
            projection: Arc::clone(&self.projection),
            range: RangeKey {
                key: self.key().clone(),
                slices,
            },
            member: Arc::clone(&self.member),
            settings: self.settings.clone(),
            query: self.query.clone(),
            listener: Listener::new(orders),
        };
        tracing::info!(projection = %self.key(), %slices, "a range of a projection begins");
        let task = workers.tasks.spawn(worker.run());
        let first = slices.first().get();
        workers.first_slices.insert(task.id(), first);
        workers.ranges.insert(first, sender);
    }

    fn key(&self) -> &ProjectionKey {
        &self.projection.key
    }
}

impl Workers {
    fn ended(&mut self, ended: Result<(Id, Ended), JoinError>) -> Ended {
        let (id, ended) = ended.unwrap_or_else(|error| {
            tracing::error!(%error, "the worker of a range panicked; it begins anew");
            (error.id(), Ended::LetGo)
        });
        if let Some(first) = self.first_slices.remove(&id) {
            self.ranges.remove(&first);
        }
        ended
    }

    fn release(&self, range: u16) {
        if let Some(orders) = self.ranges.get(&range) {
            orders.send_if_modified(|orders| !std::mem::replace(&mut orders.release, true));
        }
    }

    fn release_all(&self) {
        for range in self.ranges.keys() {
            self.release(*range);
        }
    }
}

/// Returns when it is to stop, or nobody is there to say so.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The least of what all processes have saved.
fn declare(readers: &ReaderPositions, key: &ProjectionKey, beat: &Beat) {
    let read_to = beat.ranges.iter().map(|row| row.read_to).min();
    readers.declare(
        format!("projection {key}"),
        read_to.unwrap_or(Offset::start()),
    );
}
