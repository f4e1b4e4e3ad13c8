use std::time::Duration;

use annals_journal::JournalSettings;
use annals_persistence::{BreakerSettings, EntitySettings};
use annals_postgres::{NewJournal, Settings};

use crate::{Annals, OpenError};

/// How to open a journal, for those who want more than [`Annals::connect`].
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) settings: Settings,
    pub(crate) readers: u32,
    pub(crate) readers_through: Option<Settings>,
    pub(crate) journal: JournalSettings,
    pub(crate) entities: EntitySettings,
    pub(crate) breaker: Option<BreakerSettings>,
    pub(crate) migrate: bool,
    pub(crate) early_orderings: Option<Duration>,
    pub(crate) layout: Option<NewJournal>,
}

impl Options {
    /// The defaults for the server at `settings`.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            readers: 10,
            readers_through: None,
            journal: JournalSettings::default(),
            entities: EntitySettings::default(),
            breaker: None,
            migrate: true,
            early_orderings: None,
            layout: None,
        }
    }

    /// The most connections that read at the same time: recoveries, queries, snapshots. Ten unless
    /// this says otherwise. The lanes of the journal come on top, and up to two for live
    /// queries, and for those of states: one looks, one hears of other processes.
    #[must_use]
    pub const fn readers(mut self, readers: u32) -> Self {
        self.readers = readers;
        self
    }

    /// Another way to the same server for [`Self::readers`]: a pooler such as PgBouncer, in transaction mode
    /// too. Lanes, migrations, projections and what follows live events keep sessions of their own at the
    /// server itself. See docs/reading.md.
    ///
    /// ```no_run
    /// use annals::{Options, Settings};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Settings::parse("postgresql://app@db.example:5432/app")?;
    /// let pooler = Settings::parse("postgresql://app@db.example:6432/app")?;
    /// let annals = Options::new(server).readers_through(pooler).open().await?;
    /// # let _ = annals;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn readers_through(mut self, pooler: Settings) -> Self {
        self.readers_through = Some(pooler);
        self
    }

    /// How the journal writes.
    #[must_use]
    pub const fn journal(mut self, journal: JournalSettings) -> Self {
        self.journal = journal;
        self
    }

    /// Puts a circuit breaker in front of the journal, for entities and for [`Annals::journal`]; there
    /// is none unless this is called. Set its `call_timeout` above the patience of the journal, which
    /// says more exactly what became of a write.
    #[must_use]
    pub const fn circuit_breaker(mut self, breaker: BreakerSettings) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// How many entities live, and for how long.
    #[must_use]
    pub fn entities(mut self, entities: EntitySettings) -> Self {
        self.entities = entities;
        self
    }

    /// The layout that the journal gets where there is none yet; flat unless this is called. A journal that
    /// is there keeps its own, and opening fails where that is another one:
    /// [`MigrateError::OtherLayout`](crate::MigrateError::OtherLayout). Without this call a journal in any
    /// layout is opened as it is.
    ///
    /// ```no_run
    /// use std::num::NonZeroU64;
    /// use annals::{Layout, NewJournal, Options, Settings};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let settings = Settings::parse("postgresql://app@localhost/app")?;
    /// let five_million = NonZeroU64::new(5_000_000).expect("not zero");
    /// let by_ordering = NewJournal::new(Layout::Ordering).partition_size(five_million);
    /// let annals = Options::new(settings).layout(by_ordering).open().await?;
    /// # let _ = annals;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn layout(mut self, journal: NewJournal) -> Self {
        self.layout = Some(journal);
        self
    }

    /// How long a JVM program may hold an ordering before its insert begins, while readers across
    /// persistence ids wait for it: the plugin draws orderings so in the layout by ordering, and whoever
    /// reads on at once misses its events. Only a gap in the orderings is waited for, which a write that
    /// failed leaves, and a first look.
    ///
    /// Five seconds where the row trigger of the plugin keeps the metadata of such a journal, unless this
    /// says otherwise; else nothing. See docs/jvm.md.
    #[must_use]
    pub const fn early_orderings(mut self, early: Duration) -> Self {
        self.early_orderings = Some(early);
        self
    }

    /// Takes the tables as they are, for a role that may not create any. Someone else runs the
    /// migrations then, and [`Self::layout`] says nothing.
    #[must_use]
    pub const fn without_migrations(mut self) -> Self {
        self.migrate = false;
        self
    }

    /// Opens it.
    ///
    /// # Errors
    /// As [`Annals::connect`].
    pub async fn open(self) -> Result<Annals, OpenError> {
        Annals::open(self, None).await
    }
}
