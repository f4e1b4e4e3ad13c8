//! Events and snapshots that are stored otherwise than the entity thinks of them: schema versions,
//! event manifests, one event that is several today or none, and the snapshot of an older type.

use std::borrow::Cow;
use std::error::Error;
use std::sync::LazyLock;

use annals_persistence::{
    Bincode, CodecError, Effect, EventEnvelope, EventSeq, EventSourced, Json, Metadata, NewEvent,
    Payload, PersistenceId, Recovered, RecoveryError, Reply, SaveSnapshot, Timestamp, Upcasters,
    WriteEvents, WriterId,
};
use serde::{Deserialize, Serialize};

use super::world::World;

/// An account of cents. In its first version the events held whole euros.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Account {
    cents: i64,
    moves: u32,
}

/// The snapshot of the account before it counted its moves.
#[derive(Serialize, Deserialize)]
struct AccountV1 {
    cents: i64,
}

#[derive(Debug, Serialize, Deserialize)]
enum Event {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}

#[derive(Debug)]
enum Command {
    Move(Vec<i64>, Metadata, Reply<i64>),
    Read(Reply<(i64, u32)>),
}

static UPCASTERS: LazyLock<Upcasters> = LazyLock::new(|| {
    Upcasters::new()
        .upcast("Deposited", 1, |mut json| {
            let fields = json.as_object_mut().ok_or("no fields")?;
            let euros = fields.remove("euros").ok_or("no euros")?;
            let euros = euros.as_i64().ok_or("the euros are no whole number")?;
            fields.insert(
                "cents".into(),
                euros.checked_mul(100).ok_or("too many euros")?.into(),
            );
            Ok(json)
        })
        .rename("Withdrew", "Withdrawn")
});

impl EventSourced for Account {
    const ENTITY: &'static str = "Account";
    type Command = Command;
    type Event = Event;

    fn handle(&self, command: Command) -> Effect<Self> {
        match command {
            Command::Move(all, metadata, reply) => self
                .persist_all(all.into_iter().map(|cents| match cents {
                    0.. => Event::Deposited { cents },
                    _ => Event::Withdrawn { cents: -cents },
                }))
                .with_metadata(metadata)
                .then_reply(reply, |account| account.cents),
            Command::Read(reply) => self.reply(reply, (self.cents, self.moves)),
        }
    }

    fn apply(&mut self, event: Event) {
        self.moves += 1;
        match event {
            Event::Deposited { cents } => self.cents += cents,
            Event::Withdrawn { cents } => self.cents -= cents,
        }
    }

    fn metadata(event: &Event) -> Metadata {
        let kind = match event {
            Event::Deposited { .. } => "in",
            Event::Withdrawn { .. } => "out",
        };
        Metadata::new().with("kind", kind).with("by", "the bank")
    }

    fn upcasters() -> &'static Upcasters {
        &UPCASTERS
    }

    fn event_manifest(event: &Event) -> Cow<'static, str> {
        match event {
            Event::Deposited { .. } => "".into(),
            Event::Withdrawn { cents } => format!("at most {cents}").into(),
        }
    }

    /// A transfer of the old kind is two events, and a greeting is none.
    fn decode_events(stored: &EventEnvelope) -> Result<EventSeq<Event>, CodecError> {
        #[derive(Deserialize)]
        struct Transferred(i64, i64);
        match (&*stored.payload.manifest, stored.event_manifest.as_str()) {
            ("Transferred", "twice") => {
                let Transferred(paid, received) = Json::decode(&stored.payload)?;
                Ok(EventSeq::many([
                    Event::Withdrawn { cents: paid },
                    Event::Deposited { cents: received },
                ]))
            }
            ("Greeted", _) => Ok(EventSeq::none()),
            _ => Self::decode_event(&stored.payload).map(EventSeq::one),
        }
    }

    fn encode_snapshot(&self) -> Result<Payload, CodecError> {
        Bincode::named("Account#2").encode(self)
    }

    fn decode_snapshot(payload: &Payload) -> Result<Self, CodecError> {
        if payload.manifest == "Account" {
            let AccountV1 { cents } = Bincode::named("Account").decode(payload)?;
            return Ok(Self { cents, moves: 0 });
        }
        Bincode::named("Account#2").decode(payload)
    }
}

fn id() -> PersistenceId {
    PersistenceId::of("Account", "1").unwrap()
}

fn stored(manifest: &'static str, json: &'static str) -> Payload {
    Payload {
        manifest: manifest.into(),
        bytes: json.into(),
        ..Json::encode(&()).unwrap()
    }
}

async fn read(world: &World) -> (Recovered, (i64, u32)) {
    let account = world.restarted().get::<Account>("1").await.unwrap();
    (
        account.recovered(),
        account.ask(Command::Read).await.unwrap(),
    )
}

#[tokio::test]
async fn what_an_older_program_wrote_is_what_it_means_today() {
    let world = World::new().await;
    let mut twice = NewEvent::from(stored("Transferred", "[100,40]"));
    twice.event_manifest = "twice".into();
    let events = vec![
        stored("Deposited", r#"{"euros":5}"#).into(),
        stored("Greeted", r#""hello""#).into(),
        stored("Withdrew", r#"{"cents":30}"#).into(),
        twice,
        stored("Deposited#2", r#"{"cents":1}"#).into(),
    ];
    let write = WriteEvents::new(id(), 1.into(), WriterId::random(), events);
    world.journal.write(write).await.unwrap();

    let (recovered, account) = read(&world).await;
    assert_eq!(account, (500 - 30 - 100 + 40 + 1, 5));
    assert_eq!(recovered.events, 5, "events of the journal");

    let envelopes = world.events(&id()).await;
    let meant: Vec<usize> = envelopes
        .iter()
        .map(|it| it.events::<Account>().unwrap().into_iter().count())
        .collect();
    assert_eq!(meant, [1, 0, 1, 2, 1]);
    let first = envelopes[0].event::<Account>().unwrap();
    assert!(
        matches!(first, Event::Deposited { cents: 500 }),
        "{first:?}"
    );
}

#[tokio::test]
async fn new_events_carry_version_event_manifest_and_metadata() {
    let world = World::new().await;
    let account = world.entities.get::<Account>("1").await.unwrap();
    let by = Metadata::new().with("by", "mary").with("trace", 7);
    let balance = account
        .ask(|reply| Command::Move(vec![5, -2], by, reply))
        .await;
    assert_eq!(balance.unwrap(), 3);
    let written: Vec<_> = world
        .events(&id())
        .await
        .into_iter()
        .map(|it| {
            (
                it.payload.manifest.into_owned(),
                it.event_manifest,
                it.metadata,
            )
        })
        .collect();
    // What the effect says goes over what the function says of every event.
    let metadata = |kind| {
        Metadata::new()
            .with("kind", kind)
            .with("by", "mary")
            .with("trace", 7)
    };
    assert_eq!(
        written,
        [
            ("Deposited#2".to_owned(), String::new(), metadata("in")),
            (
                "Withdrawn".to_owned(),
                "at most 2".to_owned(),
                metadata("out")
            ),
        ]
    );
    assert_eq!(read(&world).await.1, (3, 2));
}

#[tokio::test]
async fn the_snapshot_of_an_older_type_is_read() {
    let world = World::new().await;
    let account = world.entities.get::<Account>("1").await.unwrap();
    let moves = vec![1, 2, 3, 4];
    let balance = account
        .ask(|reply| Command::Move(moves, Metadata::new(), reply))
        .await;
    assert_eq!(balance.unwrap(), 10);
    let old = SaveSnapshot {
        persistence_id: id(),
        sequence_number: 3.into(),
        timestamp: Timestamp::now(),
        payload: Bincode::named("Account")
            .encode(&AccountV1 { cents: 6 })
            .unwrap(),
        metadata: Metadata::new(),
    };
    world.snapshots.save(old).await.unwrap();

    let (recovered, account) = read(&world).await;
    assert_eq!((recovered.snapshot, recovered.events), (3.into(), 1));
    assert_eq!(account, (10, 1), "the old snapshot did not count");
}

#[tokio::test]
async fn an_event_that_means_nothing_to_the_program_is_named_down_to_its_manifest() {
    for (manifest, json, cause) in [
        (
            "Forgotten",
            "{}",
            "\"Forgotten\" of the serializer 7471001 is none of Deposited, Withdrawn",
        ),
        (
            "Deposited#3",
            "{}",
            "\"Deposited#3\" of the serializer 7471001 is newer than this program",
        ),
        (
            "Deposited",
            "{}",
            "\"Deposited\" of the serializer 7471001 cannot be brought from version 1",
        ),
        (
            "Deposited#2",
            "{}",
            "with the manifest \"Deposited#2\" cannot be read by the serializer 7471001",
        ),
    ] {
        let world = World::new().await;
        let payloads = vec![
            stored("Withdrawn", r#"{"cents":1}"#),
            stored(manifest, json),
        ];
        world.write(&id(), 1, payloads).await;
        let error = world.restarted().get::<Account>("1").await.unwrap_err();
        let chain: Vec<String> =
            std::iter::successors(Some(&error as &dyn Error), |error| (*error).source())
                .map(ToString::to_string)
                .collect();
        let at = |text: &str| chain.iter().position(|link| link.contains(text));
        let (event, codec) = (at("event 2 of Account|1"), at(cause));
        assert!(event.is_some() && event < codec, "{chain:#?}");
        assert!(
            !matches!(&chain[..], [.., last] if last.contains("see the cause")),
            "{chain:#?}"
        );
    }
    // The error is one of recovery, for those who match on it.
    let world = World::new().await;
    world.write(&id(), 1, vec![stored("Forgotten", "{}")]).await;
    let error = match world.restarted().get::<Account>("1").await {
        Err(annals_persistence::EntityError::Recovery { source, .. }) => source,
        other => panic!("{other:?}"),
    };
    assert!(
        matches!(
            error,
            RecoveryError::Decode {
                source: CodecError::UnknownManifest { .. },
                ..
            }
        ),
        "{error:?}"
    );
}
