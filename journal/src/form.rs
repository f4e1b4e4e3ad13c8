use std::fmt;
use std::sync::Arc;

use annals_postgres::{JournalShape, Layout, Settings, connect};
use thiserror::Error;
use tokio::sync::Mutex;

use crate::StartError;
use crate::partitions::Partitions;
use crate::statements::Statements;

/// How the lanes of a process write: what suits the shape of the journal.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) statements: Arc<Statements>,
    pub(crate) partitions: Partitions,
    shape: JournalShape,
}

/// Reads the shape of the journal, when the process starts and when a lane finds that it is another: a
/// journal may get another layout while it is written to (docs/moving.md).
pub(crate) struct Forms {
    settings: Settings,
    partitions_ahead: u32,
    newest: Mutex<Form>,
}

impl Forms {
    pub(crate) async fn read(
        settings: &Settings,
        partitions_ahead: u32,
    ) -> Result<Self, StartError> {
        let shape = shape_of(settings).await?;
        Ok(Self {
            settings: settings.clone(),
            partitions_ahead,
            newest: Mutex::new(Form::of(&shape, settings, partitions_ahead)),
        })
    }

    pub(crate) async fn newest(&self) -> Form {
        self.newest.lock().await.clone()
    }

    /// The form of a journal that has another layout than `known` by now. Of several lanes that ask at
    /// the same time one looks, and they get the same.
    pub(crate) async fn other_than(&self, known: Layout) -> Result<Form, NoOtherForm> {
        let mut newest = self.newest.lock().await;
        if newest.layout() == known {
            let shape = shape_of(&self.settings).await?;
            if shape.layout == known {
                return Err(NoOtherForm::Unchanged(known));
            }
            tracing::info!(before = %known, now = %shape.layout, "the journal has another layout");
            *newest = Form::of(&shape, &self.settings, self.partitions_ahead);
        }
        Ok(newest.clone())
    }
}

impl Form {
    fn of(shape: &JournalShape, settings: &Settings, partitions_ahead: u32) -> Self {
        Self {
            statements: Arc::new(Statements::of(shape)),
            partitions: Partitions::keep(shape, settings, partitions_ahead),
            shape: shape.clone(),
        }
    }

    pub(crate) const fn layout(&self) -> Layout {
        self.shape.layout
    }

    pub(crate) const fn shape(&self) -> &JournalShape {
        &self.shape
    }
}

impl fmt::Debug for Forms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Forms")
            .field("newest", &self.newest)
            .finish_non_exhaustive()
    }
}

async fn shape_of(settings: &Settings) -> Result<JournalShape, StartError> {
    let connection = connect(settings).await?;
    let shape = JournalShape::read(&connection).await;
    connection.close().await;
    Ok(shape?)
}

#[derive(Debug, Error)]
pub(crate) enum NoOtherForm {
    #[error("the journal may have another layout by now, and cannot be looked at")]
    Unread(#[from] StartError),
    #[error("the server misses a partition, but the journal that search_path names is {0}")]
    Unchanged(Layout),
}
