use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_postgres::{Client, Error};

use super::prepared::{Asking, Prepared, Question};
use crate::{Connection, ErrorClass, classify};

/// What the pool keeps: a client, the statements prepared on it, and how many answers it owes.
#[derive(Debug)]
pub(in crate::pool) struct ReaderConnection {
    client: Connection,
    statements: Mutex<HashMap<Box<str>, Prepared>>,
    owed: Owed,
}

/// Enough for every text of Annals many times over; a bound because partitions have names.
const MOST_STATEMENTS: usize = 256;

impl ReaderConnection {
    pub(in crate::pool) fn new(client: Connection) -> Self {
        Self {
            client,
            statements: Mutex::default(),
            owed: Owed::default(),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    pub(super) fn owed(&self) -> &Owed {
        &self.owed
    }

    pub(in crate::pool) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) const fn is_pooled(&self) -> bool {
        self.client.is_pooled()
    }

    pub(in crate::pool) fn is_reusable(&self) -> bool {
        !self.client.is_closed() && self.owed.is_nothing()
    }

    pub(in crate::pool) async fn ping(&self) -> Result<(), Error> {
        let asked = self.owed.ask();
        asked.answered(self.client.simple_query("").await).map(drop)
    }

    pub(super) async fn prepared(&self, sql: &str) -> Result<Prepared, Error> {
        if let Some(statement) = self.statements().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.prepare(sql).await?;
        let mut statements = self.statements();
        if statements.len() >= MOST_STATEMENTS {
            statements.clear();
        }
        statements.insert(sql.into(), statement.clone());
        Ok(statement)
    }

    /// What to send for this question.
    pub(super) async fn known<T>(&self, question: &T) -> Result<Prepared, Error>
    where
        T: ?Sized + Question,
    {
        match question.kind() {
            Asking::Prepared(statement) => Ok(statement.clone()),
            // Its types are worth keeping.
            Asking::Text(sql) if self.is_pooled() => self.prepared(sql).await,
            Asking::Text(sql) => self.prepare(sql).await,
        }
    }

    async fn prepare(&self, sql: &str) -> Result<Prepared, Error> {
        let asked = self.owed.ask();
        let client = &self.client;
        asked.answered(match self.is_pooled() {
            true => Prepared::unnamed(client, sql).await,
            false => Prepared::named(client, sql).await,
        })
    }

    fn statements(&self) -> std::sync::MutexGuard<'_, HashMap<Box<str>, Prepared>> {
        // A map of independent entries is whole even if a holder panicked.
        self.statements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of requests whose answer has not arrived in full.
#[derive(Clone, Debug, Default)]
pub(super) struct Owed(Arc<AtomicUsize>);

/// One request under way. Dropped unanswered, it stays owed for good.
#[derive(Debug)]
pub(super) struct Asked(Owed);

impl Owed {
    pub(super) fn ask(&self) -> Asked {
        self.0.fetch_add(1, Ordering::Relaxed);
        Asked(self.clone())
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

impl Asked {
    pub(super) fn answered<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        if result
            .as_ref()
            .err()
            .is_none_or(leaves_the_connection_usable)
        {
            self.done();
        }
        result
    }

    pub(super) fn done(self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer of the server ends the request; an error of the client may leave rows behind.
pub(super) fn leaves_the_connection_usable(error: &Error) -> bool {
    let Some(code) = error.code() else {
        return false;
    };
    // A result type that changed under a cached statement, or a statement that is gone: both stay
    // wrong until the statements are prepared anew.
    let stale_statement = ["0A000", "26000"].contains(&code.code());
    !stale_statement && classify(error) != ErrorClass::ConnectionLost
}
