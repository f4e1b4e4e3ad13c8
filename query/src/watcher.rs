//! Follows the horizon of one table, for all readers of the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use annals_persistence::SharedError;
use annals_postgres::Settings;
use tokio::sync::{mpsc, oneshot, watch};

use crate::early::Early;
use crate::eyes::{Eyes, PAGE};
use crate::horizon::Horizon;
use crate::horizon_error::LookError;
use crate::horizon_ref::{Follower, HorizonRef, Latest, NumberedTable, Request};
use crate::notices::Notices;
use crate::recovered::Recovered;
use crate::stuck::Stuck;

pub(crate) struct Watcher {
    table: NumberedTable,
    settings: Settings,
    /// Changes when this process has stored something.
    commits: watch::Receiver<u64>,
    /// Changes when another process says that it has.
    notices: watch::Receiver<u64>,
    /// Whether notices are wanted.
    follow: watch::Sender<bool>,
    horizon: Horizon<String>,
    early: Early,
    latest: watch::Sender<Latest>,
    waiting: Vec<Waiting>,
    followers: Vec<Follower>,
    recovered: Recovered,
    stuck: Stuck,
}

struct Waiting {
    tell: oneshot::Sender<Result<i64, SharedError>>,
    /// Known after the first look that began after the request.
    target: Option<i64>,
}

/// Pauses between looks that found nothing new: short while a gap is open, growing otherwise.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST_AT_A_GAP: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(100);

impl Watcher {
    pub(crate) fn spawn(
        table: NumberedTable,
        settings: Settings,
        commits: watch::Receiver<u64>,
        early: Duration,
    ) -> HorizonRef {
        let (requests, inbox) = mpsc::unbounded_channel();
        let (latest, known) = watch::channel(Latest::default());
        let (follow, notices) = Notices::between(table, settings.clone(), commits.clone());
        let watcher = Self {
            table,
            settings,
            commits,
            notices,
            follow,
            horizon: Horizon::new(),
            early: Early::new(early),
            latest,
            waiting: Vec::new(),
            followers: Vec::new(),
            recovered: Recovered::default(),
            stuck: Stuck::default(),
        };
        tokio::spawn(watcher.run(inbox));
        HorizonRef::new(requests, known)
    }

    /// Looks while somebody waits; costs the server nothing otherwise.
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Request>) {
        let mut eyes = None;
        let mut pause = SHORTEST;
        let mut failed = false;
        loop {
            self.followers.retain_mut(Follower::is_there);
            let follows = !self.followers.is_empty();
            self.follow
                .send_if_modified(|it| std::mem::replace(it, follows) != follows);
            if self.waiting.is_empty() && self.followers.is_empty() {
                match inbox.recv().await {
                    Some(request) => self.take(request),
                    None => return,
                }
            }
            while let Ok(request) = inbox.try_recv() {
                self.take(request);
            }
            self.commits.mark_unchanged();
            self.notices.mark_unchanged();
            let begin = Instant::now();
            let news = self.look(&mut eyes).await;
            let failed_before = std::mem::replace(&mut failed, news.is_err());
            match news {
                Ok(News::More) => pause = SHORTEST,
                Ok(news) => {
                    if matches!(news, News::Some) {
                        pause = SHORTEST;
                    }
                    let longest = if self.horizon.is_waiting() {
                        LONGEST_AT_A_GAP
                    } else {
                        LONGEST
                    };
                    if self.rest(begin, pause.min(longest), &mut inbox).await {
                        pause = (pause * 2).min(LONGEST);
                    } else {
                        pause = SHORTEST;
                    }
                }
                Err(error) => {
                    eyes = None;
                    self.horizon.forget_holders();
                    // A session may die; a server that does not let us in again is in trouble.
                    if failed_before {
                        self.fail(&(Arc::new(error) as SharedError));
                        tokio::time::sleep(LONGEST).await;
                    }
                }
            }
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Settle(tell) => self.waiting.push(Waiting { tell, target: None }),
            Request::Follow(follower) => self.followers.push(follower),
        }
    }

    /// Waits for the pause, a hint or a request; says whether it was the pause. The look before began at
    /// `last`.
    async fn rest(
        &mut self,
        last: Instant,
        pause: Duration,
        inbox: &mut mpsc::UnboundedReceiver<Request>,
    ) -> bool {
        tokio::select! {
            biased;
            Some(request) = inbox.recv() => {
                self.take(request);
                false
            }
            // Without hints the pause decides. Under load they come without end: one look serves many
            // commits.
            Some(()) = either(&mut self.commits, &mut self.notices) => {
                tokio::time::sleep(SHORTEST.saturating_sub(last.elapsed())).await;
                false
            }
            () = tokio::time::sleep(pause) => true,
        }
    }

    async fn look(&mut self, eyes: &mut Option<Eyes>) -> Result<News, LookError> {
        let eyes = match eyes {
            Some(eyes) => eyes,
            None => eyes.insert(Eyes::open(self.table, &self.settings).await?),
        };
        let before = self.horizon.settled();
        let mut full = false;
        let mut holders = None;
        let mut beyond = if before == 0 {
            // The first look settles the past as a whole, however long it is.
            let top = eyes.top().await?;
            (top > 0).then_some(top)
        } else {
            // Nobody may be told a target in this look: it would be newer than the holders.
            let has_targets = self.waiting.iter().all(|it| it.target.is_some());
            let visible = if self.horizon.is_waiting() && has_targets {
                let (visible, holding) = eyes.visible_and_holders(before).await?;
                holders = Some(holding);
                visible
            } else {
                eyes.visible(before).await?
            };
            full = visible.len() as i64 == PAGE;
            self.horizon.see(visible)
        };
        for waiting in &mut self.waiting {
            if waiting.target.is_none() {
                waiting.target = Some(eyes.top().await?);
            }
        }
        if self.horizon.settled() == before && beyond.is_none() {
            // What was visible when it was asked for has left its place, or is gone.
            let targets = self.waiting.iter().filter_map(|it| it.target);
            beyond = targets.filter(|target| *target > before).max();
        }
        if beyond.is_some() || self.horizon.is_waiting() {
            let holders = match holders {
                Some(holders) => holders,
                None => eyes.holders().await?,
            };
            self.stuck.note(&holders);
            if self
                .recovered
                .has_news(holders.iter().map(|holder| holder.transaction.as_str()))
            {
                self.horizon.forget_holders();
            }
            let early = self.early.look(Instant::now());
            let names = holders.into_iter().map(|holder| holder.transaction);
            self.horizon.hold(beyond, &names.chain(early).collect());
            self.stuck.watch(self.table, &self.horizon);
        }
        let settled = self.horizon.settled();
        if settled > before || self.latest.borrow().failure.is_some() {
            self.latest.send_replace(Latest {
                settled,
                failure: None,
            });
        }
        self.answer(settled);
        Ok(match settled > before {
            true if full || !self.waiting.is_empty() => News::More,
            true => News::Some,
            // However much lies beyond a gap: looking without a pause does not close it.
            false => News::Nothing,
        })
    }

    fn answer(&mut self, settled: i64) {
        let (ready, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.target.is_some_and(|target| target <= settled));
        self.waiting = waiting;
        for waiting in ready {
            // A reader that is gone needs no answer.
            let _ = waiting.tell.send(Ok(settled));
        }
    }

    /// Tells all who wait. Followers stay: one that is busy with what it has may not notice, and
    /// must be served once the server is back.
    fn fail(&mut self, error: &SharedError) {
        if self.latest.borrow().failure.is_none() {
            tracing::warn!(table = self.table.name, error = %error, "a table cannot be followed");
        }
        for waiting in self.waiting.drain(..) {
            // A reader that is gone needs no answer.
            let _ = waiting.tell.send(Err(Arc::clone(error)));
        }
        self.latest
            .send_modify(|latest| latest.failure = Some(Arc::clone(error)));
    }
}

/// A change of one of both; `None` where none can come any more.
async fn either(
    commits: &mut watch::Receiver<u64>,
    notices: &mut watch::Receiver<u64>,
) -> Option<()> {
    tokio::select! {
        Ok(()) = commits.changed() => Some(()),
        Ok(()) = notices.changed() => Some(()),
        else => None,
    }
}

enum News {
    /// The horizon moved, and there is reason to look again at once.
    More,
    /// The horizon moved.
    Some,
    /// It did not.
    Nothing,
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn one_source_of_hints_that_is_gone_leaves_the_other_one() {
        let (commit, mut commits) = watch::channel(0);
        let (notice, mut notices) = watch::channel(0);
        drop(notice);
        assert_eq!(either(&mut commits, &mut notices).now_or_never(), None);
        commit.send_replace(1);
        let heard = either(&mut commits, &mut notices).now_or_never();
        assert_eq!(heard, Some(Some(())));
        drop(commit);
        let heard = either(&mut commits, &mut notices).now_or_never();
        assert_eq!(heard, Some(None));
    }
}
