use std::fmt;

/// A version of a projection; written `carriers/2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectionKey {
    /// Its name.
    pub name: String,
    /// Which build of its results: a rebuild has another one.
    pub version: i32,
}

impl ProjectionKey {
    /// Version `version` of the projection `name`.
    pub fn new(name: impl Into<String>, version: i32) -> Self {
        Self {
            name: name.into(),
            version,
        }
    }
}

impl fmt::Display for ProjectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.version)
    }
}
