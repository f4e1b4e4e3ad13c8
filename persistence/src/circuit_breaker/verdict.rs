//! Which answers are those of a sick store.

use crate::{DeleteError, ReplaceError, ReplayError, SharedError, WriteError};

pub(super) trait Verdict {
    /// What the store says where it is at fault; `None` for the answer of a store that is well.
    ///
    /// A journal that has stopped is no failure: it will not come back, and its own answer says
    /// what to do.
    fn failure(&self) -> Option<&SharedError>;
}

impl Verdict for WriteError {
    fn failure(&self) -> Option<&SharedError> {
        match self {
            Self::Unavailable { source, .. } | Self::Unknown { source, .. } => Some(source),
            Self::Rejected { .. }
            | Self::Conflict { .. }
            | Self::EarlierFailed { .. }
            | Self::Overloaded { .. }
            | Self::BreakerOpen { .. }
            | Self::Stopped { .. } => None,
        }
    }
}

impl Verdict for ReplayError {
    fn failure(&self) -> Option<&SharedError> {
        match self {
            Self::Unavailable { source, .. } => Some(source),
            Self::MalformedRow { .. } | Self::BreakerOpen { .. } | Self::Stopped => None,
        }
    }
}

impl Verdict for ReplaceError {
    fn failure(&self) -> Option<&SharedError> {
        match self {
            Self::Unavailable { source, .. } => Some(source),
            Self::NoSuchEvent { .. }
            | Self::Rejected { .. }
            | Self::BreakerOpen { .. }
            | Self::Stopped => None,
        }
    }
}

impl Verdict for DeleteError {
    fn failure(&self) -> Option<&SharedError> {
        match self {
            Self::Unavailable { source, .. } => Some(source),
            Self::BreakerOpen { .. } | Self::Stopped => None,
        }
    }
}
