use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use super::manifest_reader::Manifest;
use super::{Codec, CodecError, SelfDescribing, manifest};
use crate::Payload;

/// What a step of [`Upcasters`] says when it cannot do its work; `?` and `.into()` make one of an
/// error or a text.
pub type UpcastFailure = Box<dyn Error + Send + Sync>;

/// How events that older versions of a program wrote become those of today.
///
/// The version of an event stands in its manifest: `Deposited#2` is the second version of
/// `Deposited`, and `Deposited` the first. Each step leads from one version to the next, on the
/// event as JSON, before the type of today reads it; an event of version 1 passes through all of
/// them. New events are written with the version behind the last step. An event of today's version
/// is read as if there were no steps.
///
/// Build them once and give them to an entity by
/// [`EventSourced::upcasters`](crate::EventSourced::upcasters):
///
/// ```
/// use std::sync::LazyLock;
/// use annals_persistence::{Json, Payload, Upcasters};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// enum Event {
///     Deposited { cents: i64, currency: String },
///     Withdrawn { cents: i64 },
/// }
///
/// static UPCASTERS: LazyLock<Upcasters> = LazyLock::new(|| {
///     Upcasters::new()
///         .upcast("Deposited", 1, |mut json| {
///             let fields = json.as_object_mut().ok_or("no fields")?;
///             fields.insert("currency".into(), "EUR".into());
///             Ok(json)
///         })
///         .rename("Withdrew", "Withdrawn")
/// });
///
/// let old = Payload { manifest: "Withdrew".into(), ..Json::encode(&Event::Withdrawn { cents: 5 })? };
/// assert_eq!(UPCASTERS.decode::<Event>(&Json, &old)?, Event::Withdrawn { cents: 5 });
///
/// let new = Event::Deposited { cents: 5, currency: "CHF".into() };
/// assert_eq!(UPCASTERS.encode(&Json, &new)?.manifest, "Deposited#2");
/// # Ok::<_, annals_persistence::CodecError>(())
/// ```
#[derive(Default)]
pub struct Upcasters {
    histories: BTreeMap<&'static str, History>,
}

/// What became of the events of one name.
struct History {
    /// The version behind the last step.
    current: u32,
    /// By the version from which they lead.
    steps: BTreeMap<u32, Step>,
    /// What the current version goes on as.
    renamed: Option<(&'static str, u32)>,
}

type Step = Box<dyn Fn(Value) -> Result<Value, UpcastFailure> + Send + Sync>;

impl Upcasters {
    /// None yet: every event is of version 1 and read as it is.
    pub const fn new() -> Self {
        Self {
            histories: BTreeMap::new(),
        }
    }

    /// With the step that makes version `from` + 1 of `name` of its version `from`.
    ///
    /// The step must take any JSON: indexing into a value that is no object panics.
    ///
    /// # Panics
    /// There is such a step already, `from` is 0, or `name` was renamed before. All three are
    /// mistakes in the program, whatever is stored.
    #[must_use]
    #[track_caller]
    pub fn upcast(
        mut self,
        name: &'static str,
        from: u32,
        step: impl Fn(Value) -> Result<Value, UpcastFailure> + Send + Sync + 'static,
    ) -> Self {
        assert!(from > 0, "the first version of {name} is 1, not 0");
        let history = self.open(name);
        assert!(
            history.steps.insert(from, Box::new(step)).is_none(),
            "there are two steps from version {from} of {name}"
        );
        history.current = history.current.max(from.saturating_add(1));
        self
    }

    /// With events of the name `old` going on as those of the name `new`, in the version that `new`
    /// has here: steps of `new` that come later in the code are for them too.
    ///
    /// # Panics
    /// One of the two was renamed before, or they are the same: mistakes in the program, whatever
    /// is stored.
    #[must_use]
    #[track_caller]
    pub fn rename(mut self, old: &'static str, new: &'static str) -> Self {
        assert_ne!(old, new, "{old} is renamed to itself");
        let version = self.open(new).current;
        self.open(old).renamed = Some((new, version));
        self
    }

    /// Writes `value` by `codec`, as the version of today.
    ///
    /// # Errors
    /// The codec cannot write it, or its name was renamed: nobody could read it back.
    pub fn encode<T>(&self, codec: &impl Codec<T>, value: &T) -> Result<Payload, CodecError> {
        let mut payload = codec.encode(value)?;
        let Some((name, history)) = self.histories.get_key_value(&*payload.manifest) else {
            return Ok(payload);
        };
        if let Some((new, _)) = history.renamed {
            return Err(CodecError::encode(
                payload.serializer,
                Renamed { old: name, new },
            ));
        }
        if history.current > 1 {
            payload.manifest = manifest::mark(name, history.current).into();
        }
        Ok(payload)
    }

    /// Reads a value of whatever version by `codec`.
    ///
    /// # Errors
    /// The codec cannot read it, a step is missing or fails, or a newer version of the program
    /// wrote it.
    pub fn decode<T: DeserializeOwned>(
        &self,
        codec: &(impl Codec<T> + SelfDescribing),
        payload: &Payload,
    ) -> Result<T, CodecError> {
        let (name, mut version) = manifest::split(&payload.manifest);
        let Some((&name, mut history)) = self.histories.get_key_value(name) else {
            return codec.decode(payload);
        };
        let mut name = name;
        let mut tree = None;
        loop {
            if version > history.current {
                return Err(CodecError::NewerVersion {
                    serializer: payload.serializer,
                    manifest: payload.manifest.clone().into_owned(),
                    current: history.current,
                });
            }
            while version < history.current {
                let before = match tree.take() {
                    Some(tree) => tree,
                    None => codec.tree(payload)?,
                };
                tree = Some(history.step(name, version, payload, before)?);
                version += 1;
            }
            let Some(renamed) = history.renamed else {
                break;
            };
            (name, version) = renamed;
            history = &self.histories[name];
        }
        let today = Payload {
            serializer: payload.serializer,
            manifest: name.into(),
            bytes: payload.bytes.clone(),
        };
        let value = match tree {
            None => codec.decode(&today),
            Some(tree) => {
                let manifest = Manifest::of(&today);
                let read = T::deserialize(manifest.reader(tree));
                manifest.judge(read)
            }
        };
        value.map_err(|error| error.of_manifest(&payload.manifest))
    }

    #[track_caller]
    fn open(&mut self, name: &'static str) -> &mut History {
        let history = self.histories.entry(name).or_insert_with(History::new);
        if let Some((new, _)) = history.renamed {
            panic!("{name} was renamed to {new} before; name that instead");
        }
        history
    }
}

impl History {
    const fn new() -> Self {
        Self {
            current: 1,
            steps: BTreeMap::new(),
            renamed: None,
        }
    }

    fn step(
        &self,
        name: &str,
        version: u32,
        payload: &Payload,
        tree: Value,
    ) -> Result<Value, CodecError> {
        let serializer = payload.serializer;
        let (manifest, name) = (payload.manifest.clone().into_owned(), name.to_owned());
        let Some(step) = self.steps.get(&version) else {
            return Err(CodecError::MissingUpcaster {
                serializer,
                manifest,
                name,
                version,
                current: self.current,
            });
        };
        step(tree).map_err(|failure| CodecError::Upcast {
            serializer,
            manifest,
            name,
            version,
            source: Arc::from(failure),
        })
    }
}

impl fmt::Debug for Upcasters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.histories).finish()
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("current", &self.current)
            .field("steps", &self.steps.keys())
            .field("renamed", &self.renamed)
            .finish()
    }
}

#[derive(Debug, Error)]
#[error("{old} was renamed to {new} by the upcasters; rename it in the type too")]
struct Renamed {
    old: &'static str,
    new: &'static str,
}
