use std::collections::BTreeMap;

use annals_persistence::{
    Effect, EventSourced, InvalidTag, Metadata, PersistenceId, Reply, Retention, Tags,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

/// An entity whose state tells which events were applied, and in which order. A snapshot is taken
/// at each third event.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Diary {
    pub(super) words: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Event {
    Noted {
        word: String,
    },
    /// JSON has no such keys.
    Unwritable(BTreeMap<Vec<u8>, u8>),
    /// Its tag is empty, which is none.
    Mistagged,
}

#[derive(Debug)]
pub(super) enum Command {
    /// Answered with the number of words.
    Note(String, Reply<usize>),
    /// The same for several words at a time.
    NoteAll(Vec<String>, Reply<usize>),
    NoteWith(String, Metadata, Reply<usize>),
    NoteUnwritable(Reply<usize>),
    NoteMistagged(Reply<usize>),
    /// A good event and one that cannot be written.
    NoteHalfUnwritable(String, Reply<usize>),
    /// Tells how many words there are before the reply and after it.
    NoteAndTell(String, UnboundedSender<(&'static str, usize)>, Reply<usize>),
    Read(Reply<Vec<String>>),
    /// Persists nothing and gives no reply.
    Ignore(Reply<()>),
    NotHandled(Reply<()>),
    Stop(Reply<()>),
    NoteAndStop(String, Reply<usize>),
    NoteMistaggedAndStop(Reply<usize>),
    Panic(Reply<()>),
}

impl EventSourced for Diary {
    const ENTITY: &'static str = "Diary";
    type Command = Command;
    type Event = Event;

    fn handle(&self, command: Command) -> Effect<Self> {
        let noted = |word| Event::Noted { word };
        match command {
            Command::Note(word, reply) => self.persist(noted(word)).then_reply(reply, Self::count),
            Command::NoteAll(words, reply) => self
                .persist_all(words.into_iter().map(noted))
                .then_reply(reply, Self::count),
            Command::NoteWith(word, metadata, reply) => self
                .persist(noted(word))
                .with_metadata(metadata)
                .then_reply(reply, Self::count),
            Command::NoteUnwritable(reply) => {
                self.persist(unwritable()).then_reply(reply, Self::count)
            }
            Command::NoteMistagged(reply) => self
                .persist(Event::Mistagged)
                .then_reply(reply, Self::count),
            Command::NoteHalfUnwritable(word, reply) => self
                .persist_all([noted(word), unwritable()])
                .then_reply(reply, Self::count),
            Command::NoteAndTell(word, tell, reply) => {
                let again = tell.clone();
                self.persist(noted(word))
                    .then_run(move |diary| tell.send(("before", diary.count())).unwrap())
                    .then_reply(reply, Self::count)
                    .then_run(move |diary| again.send(("after", diary.count())).unwrap())
            }
            Command::Read(reply) => self.reply(reply, self.words.clone()),
            Command::Ignore(reply) => {
                drop(reply);
                self.none()
            }
            Command::NotHandled(reply) => {
                drop(reply);
                self.unhandled()
            }
            Command::Stop(reply) => self.stop().reply(reply, ()),
            Command::NoteAndStop(word, reply) => self
                .persist(noted(word))
                .then_reply(reply, Self::count)
                .then_stop(),
            Command::NoteMistaggedAndStop(reply) => self
                .persist(Event::Mistagged)
                .then_reply(reply, Self::count)
                .then_stop(),
            Command::Panic(reply) => panic!("the test asked for it, {reply:?} is dropped"),
        }
    }

    fn apply(&mut self, event: Event) {
        self.words.push(match event {
            Event::Noted { word } => word,
            Event::Unwritable(_) | Event::Mistagged => panic!("never stored"),
        });
    }

    fn tags(event: &Event) -> Result<Tags, InvalidTag> {
        match event {
            Event::Mistagged => Tags::of([""]),
            _ => Tags::of(["diary"]),
        }
    }

    fn retention() -> Retention {
        Retention::snapshot_every(3)
    }
}

impl Diary {
    fn count(&self) -> usize {
        self.words.len()
    }
}

fn unwritable() -> Event {
    Event::Unwritable(BTreeMap::from([(vec![1], 2)]))
}

/// Another entity type that took the same name by mistake.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Impostor;

#[derive(Debug)]
pub(super) struct Greet(pub(super) Reply<PersistenceId>);

impl EventSourced for Impostor {
    const ENTITY: &'static str = "Diary";
    type Command = Greet;
    type Event = ();

    fn handle(&self, Greet(reply): Greet) -> Effect<Self> {
        self.none()
            .reply(reply, PersistenceId::parse("Diary|impostor").unwrap())
    }

    fn apply(&mut self, (): ()) {}
}
