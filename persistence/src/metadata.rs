use serde::Serialize;
use serde_json::{Map, Value};

/// What goes with an event or a snapshot without being part of it: who asked, from where, in which
/// trace.
///
/// Stored beside it as a JSON object; the JVM plugin reads past it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an object that was read from a row.
    pub const fn from_map(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// With one more entry, in place of an older one of the same name.
    ///
    /// ```
    /// use annals_persistence::Metadata;
    ///
    /// let metadata = Metadata::new().with("user", "mary").with("attempt", 2);
    /// assert_eq!(metadata.get("user").unwrap(), "mary");
    /// ```
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// With all entries of `other`, each in place of an older one of the same name.
    #[must_use]
    pub fn with_all(mut self, other: Self) -> Self {
        if self.0.is_empty() {
            return other;
        }
        self.0.extend(other.0);
        self
    }

    /// The entry of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Metadata {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
