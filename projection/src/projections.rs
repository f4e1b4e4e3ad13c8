use std::sync::Arc;

use annals_persistence::{QueryRef, ReaderPositions};
use annals_postgres::{Settings, connect};
use tokio::sync::watch;
use uuid::Uuid;

use crate::runner::Runner;
use crate::table::prepare;
use crate::{Control, Projection, ProjectionError, ProjectionKey, Running, table};

/// The projections of one journal: starts them, and looks after those that run anywhere.
#[derive(Clone, Debug)]
pub struct Projections {
    settings: Settings,
    query: QueryRef,
    readers: Option<ReaderPositions>,
}

impl Projections {
    /// Projections of the journal that `query` reads; their offsets, and what they write exactly once,
    /// are in the database at `settings`.
    pub const fn new(settings: Settings, query: QueryRef) -> Self {
        Self {
            settings,
            query,
            readers: None,
        }
    }

    /// Declares how far each projection is that this process runs, so that no entity deletes an event
    /// that one of them has yet to read.
    #[must_use]
    pub fn declared_in(mut self, readers: ReaderPositions) -> Self {
        self.readers = Some(readers);
        self
    }

    /// Runs this process's share of a projection until the result is stopped or dropped. Other processes
    /// that start the same one get theirs within seconds.
    ///
    /// # Errors
    /// The server cannot be reached, the schema is not migrated, or the version has other ranges.
    pub async fn start(&self, projection: Projection) -> Result<Running, ProjectionError> {
        let wanted = projection.split()?;
        let mut connection = connect(&self.settings).await?;
        let (key, from) = (projection.key.clone(), projection.from);
        let found = prepare(&mut connection, &key, &wanted, &projection.selection, from).await?;
        connection.close().await;
        if found.ranges != wanted {
            return Err(ProjectionError::OtherRanges {
                key,
                found: found.ranges.len(),
                wanted: wanted.len(),
            });
        }
        if let Some(readers) = &self.readers {
            readers.declare(format!("projection {key}"), found.read_to);
        }
        let (stop, stopped) = watch::channel(false);
        let runner = Runner {
            projection: Arc::new(projection),
            member: Uuid::new_v4().to_string().into(),
            settings: self.settings.clone(),
            query: self.query.clone(),
            readers: self.readers.clone(),
            stop: stopped,
        };
        Ok(Running::new(tokio::spawn(runner.run()), stop))
    }

    /// A version of a projection, whoever runs it.
    pub fn control(&self, name: impl Into<String>, version: i32) -> Control {
        let key = ProjectionKey::new(name, version);
        Control::new(self.settings.clone(), self.query.clone(), key)
    }

    /// Which version of a projection is live: the first one that was started, until
    /// [`Control::switch`].
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn live(&self, name: &str) -> Result<Option<i32>, ProjectionError> {
        let connection = connect(&self.settings).await?;
        Ok(table::live(&*connection, name).await?)
    }
}
