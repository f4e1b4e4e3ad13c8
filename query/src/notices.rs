//! Tells other processes that this one has stored something, and hears it of them.

use std::time::Duration;

use annals_postgres::{ConnectError, Settings, connect_to_listen};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::horizon_ref::NumberedTable;

/// A session for `notify` and `listen`, which is opened when the process first writes or follows.
///
/// It is a hint and nothing else: who misses it, or gets none, looks a little later. So whatever goes
/// wrong here is tried again at leisure and nobody's error.
pub(crate) struct Notices {
    table: NumberedTable,
    settings: Settings,
    commits: watch::Receiver<u64>,
    followed: watch::Receiver<bool>,
    heard: watch::Sender<u64>,
    /// This process has stored something, and nobody was told.
    owes: bool,
}

/// One notice stands for all commits of so much time. Each is a transaction of its own, which waits for those
/// of other notifiers.
const EVERY: Duration = Duration::from_millis(5);
/// Where nobody else listens: the next question whether that is still so.
const NOBODY: Duration = Duration::from_millis(100);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// Listeners share a lock that a notifier tries to get for itself: it gets it when nobody else listens, and
/// says nothing then. The listener of the same session does not count.
const NOTIFY: &str = "select pg_notify($1, '') where not pg_try_advisory_xact_lock($2, $3)";
const LOCK_CLASS: i32 = 1_650_814_060;

impl Notices {
    /// For `commits` of this process to `table`. Listens while the first result holds true, and until it is
    /// dropped; the second one changes with each notice of another process.
    pub(crate) fn between(
        table: NumberedTable,
        settings: Settings,
        commits: watch::Receiver<u64>,
    ) -> (watch::Sender<bool>, watch::Receiver<u64>) {
        let (follow, followed) = watch::channel(false);
        let (heard, notices) = watch::channel(0);
        let exchange = Self {
            table,
            settings,
            commits,
            followed,
            heard,
            owes: false,
        };
        tokio::spawn(exchange.run());
        (follow, notices)
    }

    async fn run(mut self) {
        let mut pause = FIRST_RETRY;
        while self.is_wanted().await {
            let begin = Instant::now();
            let Err(error) = self.session().await else {
                return;
            };
            if matches!(error, SessionError::Connect(ConnectError::Pooled { .. })) {
                tracing::debug!(table = self.table.name, %error, "no notices: readers look by themselves");
                return;
            }
            tracing::debug!(table = self.table.name, %error, "the session for notices ended");
            if begin.elapsed() > LAST_RETRY {
                pause = FIRST_RETRY;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_RETRY);
        }
    }

    /// Waits for a commit or a follower; false where the watcher is gone.
    async fn is_wanted(&mut self) -> bool {
        while !self.owes && !*self.followed.borrow_and_update() {
            tokio::select! {
                changed = self.followed.changed() => if changed.is_err() {
                    return false;
                },
                Ok(()) = self.commits.changed() => self.owes = true,
            }
        }
        // A sender that is gone leaves its last word.
        self.followed.has_changed().is_ok()
    }

    /// Comes back without an error when the watcher is gone.
    async fn session(&mut self) -> Result<(), SessionError> {
        let (connection, mut notices) = connect_to_listen(&self.settings).await?;
        // A notice that a crash takes with it has nobody left to hear it.
        connection
            .batch_execute("set synchronous_commit = off")
            .await?;
        let name = self.table.name;
        let place = format!(
            "select relnamespace::int, pg_backend_pid() from pg_class where oid = '{name}'::regclass"
        );
        let row = connection.query_one(&place, &[]).await?;
        let (schema, ourselves): (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
        let channel = format!("annals_{name}_{}", schema.cast_unsigned());
        let notify = connection.prepare(NOTIFY).await?;
        let (mut listens, mut next) = (false, Instant::now());
        loop {
            let follows = *self.followed.borrow_and_update();
            if follows != listens {
                let (lock, listen) = match follows {
                    true => ("lock", "listen"),
                    false => ("unlock", "unlisten"),
                };
                let change = format!(
                    "select pg_advisory_{lock}_shared({LOCK_CLASS}, {schema}); {listen} {channel}"
                );
                connection.batch_execute(&change).await?;
                listens = follows;
            }
            if self.owes && next <= Instant::now() {
                self.commits.mark_unchanged();
                let told = connection
                    .execute(&notify, &[&channel, &LOCK_CLASS, &schema])
                    .await?;
                self.owes = false;
                next = Instant::now() + if told == 0 { NOBODY } else { EVERY };
            }
            tokio::select! {
                changed = self.followed.changed() => if changed.is_err() {
                    return Ok(());
                },
                Ok(()) = self.commits.changed(), if !self.owes => self.owes = true,
                () = sleep_until(next), if self.owes => {}
                notice = notices.recv() => match notice {
                    Some(notice) if notice.process_id() == ourselves => {}
                    Some(_) => self.heard.send_modify(|count| *count += 1),
                    None => return Err(SessionError::Ended),
                },
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Sql(#[from] tokio_postgres::Error),
    #[error("the server has ended the session")]
    Ended,
}

#[cfg(test)]
mod tests {
    use annals_postgres::{Connection, TestDatabase, TestPooler};

    use super::*;

    /// What stands for a process.
    struct Process {
        commits: watch::Sender<u64>,
        follow: watch::Sender<bool>,
        notices: watch::Receiver<u64>,
    }

    impl Process {
        fn at(settings: &Settings) -> Self {
            let (commits, committed) = watch::channel(0);
            let table = NumberedTable::JOURNAL;
            let (follow, notices) = Notices::between(table, settings.clone(), committed);
            Self {
                commits,
                follow,
                notices,
            }
        }

        fn commit(&self) {
            self.commits.send_modify(|count| *count += 1);
        }

        /// A notice that comes within a minute.
        async fn hears(&mut self) {
            let heard = tokio::time::timeout(Duration::from_secs(60), self.notices.changed());
            heard.await.expect("a notice").expect("a session");
        }
    }

    /// Waits until so many sessions listen.
    async fn listeners(sql: &Connection, count: i64) {
        let listeners = format!(
            "select count(*) from pg_locks where locktype = 'advisory' and classid = {LOCK_CLASS} \
             and mode = 'ShareLock' \
             and database = (select oid from pg_database where datname = current_database())"
        );
        while sql
            .query_one(&listeners, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            != count
        {
            sleep(Duration::from_millis(2)).await;
        }
    }

    #[tokio::test]
    async fn who_follows_hears_of_others_and_not_of_itself() {
        let database = TestDatabase::create().await.unwrap();
        let sql = database.connect().await.unwrap();
        let settings = database.settings();
        let (mut one, mut other) = (Process::at(&settings), Process::at(&settings));
        one.follow.send_replace(true);
        listeners(&sql, 1).await;
        other.commit();
        one.hears().await;
        other.follow.send_replace(true);
        listeners(&sql, 2).await;
        for _ in 0..1000 {
            one.commit();
        }
        other.hears().await;
        other.commit();
        one.hears().await;
        // By now its own would have come: the server keeps the order.
        assert_eq!(*one.notices.borrow(), 2);
        assert_eq!(*other.notices.borrow(), 1, "a thousand commits, one notice");
        one.follow.send_replace(false);
        listeners(&sql, 1).await;
        drop(other);
        listeners(&sql, 0).await;
    }

    #[tokio::test]
    async fn a_session_that_is_killed_is_replaced() {
        let database = TestDatabase::create().await.unwrap();
        let sql = database.connect().await.unwrap();
        let settings = database.settings();
        let (mut one, other) = (Process::at(&settings), Process::at(&settings));
        one.follow.send_replace(true);
        listeners(&sql, 1).await;
        other.commit();
        one.hears().await;
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                    where datname = current_database() and pid <> pg_backend_pid()";
        sql.query(kill, &[]).await.unwrap();
        listeners(&sql, 0).await;
        other.commit();
        listeners(&sql, 1).await;
        other.commit();
        one.hears().await;
    }

    #[tokio::test]
    async fn nobody_is_told_where_nobody_listens() {
        let database = TestDatabase::create().await.unwrap();
        let sql = database.connect().await.unwrap();
        let one = Process::at(&database.settings());
        one.follow.send_replace(true);
        listeners(&sql, 1).await;
        // Somebody hears it who has not said so.
        let (ear, mut notices) = connect_to_listen(&database.settings()).await.unwrap();
        let row = ear.query_one("select 'public'::regnamespace::oid::int8", &[]);
        let channel = format!("annals_journal_{}", row.await.unwrap().get::<_, i64>(0));
        ear.batch_execute(&format!("listen {channel}"))
            .await
            .unwrap();
        one.commit();
        let asked = "select count(*) from pg_stat_activity where datname = current_database() \
                     and state = 'idle' and query like 'select pg_notify%'";
        while sql.query_one(asked, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            sleep(Duration::from_millis(2)).await;
        }
        let last = format!("notify {channel}, 'last'");
        ear.batch_execute(&last).await.unwrap();
        let first = notices.recv().await.unwrap();
        assert_eq!(first.payload(), "last");
    }

    #[tokio::test]
    async fn through_a_pooler_there_are_no_notices() {
        let database = TestDatabase::create().await.unwrap();
        let pooler = TestPooler::lending(1, &database.settings()).await.unwrap();
        let mut one = Process::at(pooler.settings());
        one.follow.send_replace(true);
        let ended = tokio::time::timeout(Duration::from_secs(60), one.notices.changed());
        ended.await.expect("an end").unwrap_err();
    }
}
