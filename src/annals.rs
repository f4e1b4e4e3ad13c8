use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use annals_journal::{Import, Journal};
use annals_persistence::{
    CircuitBreaker, DurableState, DurableStateRef, Entities, EntityError, EntityRef,
    EntitySettings, EventSourced, JournalRef, Offset, QueryRef, SnapshotRef,
};
use annals_postgres::{
    JournalShape, Layout, MetadataKeeper, Pool, PrivateServer, Settings, migrate, migrate_as,
};
use annals_projection::Projections;
use annals_query::{DeclareError, Queries};
use annals_snapshot::SnapshotStore;
use annals_state::DurableStateStore;

use crate::{OpenError, Options};

/// A journal on PostgreSQL with everything around it. Cheap to clone; all clones share one set of
/// entities and connections.
///
/// Call [`Self::shutdown`] before the process ends, so that every accepted command is answered.
/// A process that ends without loses no acknowledged event, only answers.
#[derive(Clone, Debug)]
pub struct Annals {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    entities: Entities,
    journal: JournalRef,
    snapshots: SnapshotRef,
    query: QueryRef,
    durable_state: DurableStateRef,
    projections: Projections,
    server: Option<PrivateServer>,
}

impl Annals {
    /// Opens the journal of the database at `url`
    /// (`postgresql://user:password@host:5432/database`) and brings its tables up to date. A
    /// database that the JVM plugin made is opened as it is.
    ///
    /// # Errors
    /// The URL is none, the server cannot be reached or refuses, the tables are newer than this
    /// program, or the role may not create what is missing.
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        Options::new(Settings::parse(url)?).open().await
    }

    /// Starts a private PostgreSQL, empty and gone with the last clone of the result, and opens a
    /// journal there: for tests, examples and first steps. Needs the programs of PostgreSQL 14 or
    /// newer on this machine.
    ///
    /// # Errors
    /// PostgreSQL is not there or does not start.
    pub async fn embedded() -> Result<Self, OpenError> {
        Self::on(PrivateServer::builder().start().await?).await
    }

    /// The same, with its data in `folder`, where the next start finds it.
    ///
    /// # Errors
    /// As [`Self::embedded`]; and the folder holds something else, or is in use.
    pub async fn embedded_in(folder: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let server = PrivateServer::builder().data(Some(folder.into())).start();
        Self::on(server.await?).await
    }

    pub(crate) async fn open(
        options: Options,
        server: Option<PrivateServer>,
    ) -> Result<Self, OpenError> {
        let settings = options.settings;
        if options.migrate {
            match &options.layout {
                Some(journal) => migrate_as(&settings, journal).await?,
                None => migrate(&settings).await?,
            };
        }
        let readers_at = options.readers_through.unwrap_or_else(|| settings.clone());
        let pool = Pool::new(readers_at, options.readers);
        let journal = Journal::start(&settings, pool.clone(), options.journal).await?;
        let snapshots = SnapshotStore::start(pool.clone()).await?;
        let durable_state = DurableStateStore::start(&settings, pool.clone()).await?;
        let early = options
            .early_orderings
            .unwrap_or_else(|| early_orderings(journal.shape()));
        let commits = journal.commits();
        let query = Queries::beside_early_writers(&settings, pool, commits, early).await?;
        let journal = match options.breaker {
            Some(settings) => CircuitBreaker::around(journal.journal().clone(), settings).await,
            None => journal.journal().clone(),
        };
        let entities = EntitySettings {
            durable_state: options
                .entities
                .durable_state
                .or_else(|| Some(durable_state.clone())),
            ..options.entities
        };
        let projections = Projections::new(settings.clone(), query.clone());
        let projections = match entities.readers.clone() {
            Some(readers) => projections.declared_in(readers),
            None => projections,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                settings,
                entities: Entities::with(journal.clone(), snapshots.clone(), entities),
                journal,
                snapshots,
                query,
                durable_state,
                projections,
                server,
            }),
        })
    }

    async fn on(server: PrivateServer) -> Result<Self, OpenError> {
        let options = Options::new(server.settings().clone());
        Self::open(options, Some(server)).await
    }

    /// The entity of type `E` with this id: the live one, or a new one that recovers its state
    /// first.
    ///
    /// # Errors
    /// The id is none, or the recovery failed; the reason is in the error.
    ///
    /// # Cancel safety
    /// A recovery that began may be given up; the next caller begins anew.
    pub async fn entity<E: EventSourced>(
        &self,
        id: &str,
    ) -> Result<EntityRef<E::Command>, EntityError> {
        self.inner.entities.get::<E>(id).await
    }

    /// The entity of type `S` with this id, whose state is stored as a whole: the live one, or a new
    /// one that finds its stored state first.
    ///
    /// # Errors
    /// As [`Self::entity`].
    ///
    /// # Cancel safety
    /// As [`Self::entity`].
    pub async fn state_entity<S: DurableState>(
        &self,
        id: &str,
    ) -> Result<EntityRef<S::Command>, EntityError> {
        self.inner.entities.get_state::<S>(id).await
    }

    /// All live entities.
    pub fn entities(&self) -> &Entities {
        &self.inner.entities
    }

    /// Reads events of many entities.
    pub fn query(&self) -> &QueryRef {
        &self.inner.query
    }

    /// The journal itself, for writers that are no entities.
    pub fn journal(&self) -> &JournalRef {
        &self.inner.journal
    }

    /// Puts many events from elsewhere into the journal, faster than by writing them; their entities must
    /// not be live.
    ///
    /// ```no_run
    /// use annals::{Annals, ImportEvent, Payload, PersistenceId, SequenceNumber, Timestamp, WriterId};
    /// use futures::stream;
    ///
    /// # async fn run(annals: Annals) -> Result<(), Box<dyn std::error::Error>> {
    /// let meter = PersistenceId::of("Meter", "7")?;
    /// let elsewhere = WriterId::random();
    /// let events = (1..=1_000_000).map(|number| {
    ///     Ok::<_, annals::InvalidSequenceNumber>(ImportEvent {
    ///         persistence_id: meter.clone(),
    ///         sequence_number: SequenceNumber::new(number)?,
    ///         event: Payload::text("from elsewhere").into(),
    ///         writer: elsewhere,
    ///         timestamp: Timestamp::from_millis(0),
    ///         deleted: false,
    ///         ordering: None,
    ///     })
    /// });
    /// let imported = annals.import().run(stream::iter(events)).await?;
    /// assert_eq!(imported.events, 1_000_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn import(&self) -> Import {
        Import::into_journal(self.inner.settings.clone())
    }

    /// The snapshot store itself.
    pub fn snapshots(&self) -> &SnapshotRef {
        &self.inner.snapshots
    }

    /// States that are kept without the events that led to them.
    pub fn durable_state(&self) -> &DurableStateRef {
        &self.inner.durable_state
    }

    /// Starts projections of this journal, and looks after those that run anywhere; see
    /// [`annals::projection`](crate::projection). Where the entities have
    /// [`ReaderPositions`](crate::ReaderPositions), those that run here are declared there.
    ///
    /// Stop them before [`Self::shutdown`]: without queries they end.
    pub fn projections(&self) -> &Projections {
        &self.inner.projections
    }

    /// Says that the reader of that name has dealt with everything up to and with `offset` and needs what
    /// lies behind: `scripts/partitions` detaches no partition that holds any of it. It stands in the
    /// database until it is declared anew or withdrawn, whatever becomes of the reader; say it every few
    /// seconds, not for each event: it takes a connection of its own. Projections need not be declared.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use annals::{Annals, Offset};
    ///
    /// let annals = Annals::embedded().await?;
    /// annals.declare_reader("search index", Offset::new(41_000)).await?;
    /// annals.withdraw_reader("search index").await?;
    /// # annals.shutdown().await;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The server cannot be asked, or refuses.
    ///
    /// # Cancel safety
    /// It may be declared or not; declare it again.
    pub async fn declare_reader(&self, reader: &str, offset: Offset) -> Result<(), DeclareError> {
        annals_query::declare_reader(self.settings(), reader, offset).await
    }

    /// Says that the reader of that name needs nothing any more.
    ///
    /// # Errors
    /// As [`Self::declare_reader`].
    ///
    /// # Cancel safety
    /// As [`Self::declare_reader`].
    pub async fn withdraw_reader(&self, reader: &str) -> Result<(), DeclareError> {
        annals_query::withdraw_reader(self.settings(), reader).await
    }

    /// Where the data is.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The private server, if there is one.
    pub fn private_server(&self) -> Option<&PrivateServer> {
        self.inner.server.as_ref()
    }

    /// Ends everything in order: queries end, entities answer the commands that they accepted, the
    /// journal, the snapshot store and the durable state store write what is left.
    pub async fn shutdown(&self) {
        self.inner.query.stop().await;
        self.inner.entities.drain().await;
        self.inner.journal.drain().await;
        self.inner.snapshots.drain().await;
        self.inner.durable_state.drain().await;
    }
}

/// A JVM may still write where its trigger is, and draws orderings before it inserts in one layout only.
fn early_orderings(shape: &JournalShape) -> Duration {
    match (shape.layout, shape.metadata) {
        (Layout::Ordering, MetadataKeeper::Trigger) => Duration::from_secs(5),
        _ => Duration::ZERO,
    }
}
