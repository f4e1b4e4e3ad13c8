//! What can be wrong with a row, and what the user's tables must forbid so that it is.

use annals_persistence::{Metadata, NewEvent, Payload, WriteError, WriteEvents};

use crate::store::Store;
use crate::writes::{conflict, id, rejection, text, write};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guilt {
    /// A check constraint of the user's forbids it.
    Check,
    /// A unique index of the user's has it already.
    Unique,
    /// Another writer has taken the first sequence number of its persistence id.
    Taken,
    /// It holds a character that the server cannot store.
    Encoding,
    /// It does not go into an index.
    TooLarge,
    /// A trigger of the user's objects.
    Raised,
    /// The same under a code that the server does not know.
    RaisedWithACode,
    /// A trigger of the user's passes over it without a word.
    Skipped,
}

impl Guilt {
    pub(crate) const WITHOUT_TRIGGERS: [Self; 5] = [
        Self::Check,
        Self::Unique,
        Self::Taken,
        Self::Encoding,
        Self::TooLarge,
    ];
    pub(crate) const BY_TRIGGERS: [Self; 3] = [Self::Raised, Self::RaisedWithACode, Self::Skipped];

    /// Makes the event one that cannot be stored.
    pub(crate) fn spoil(self, event: &mut NewEvent) {
        match self {
            Self::Check => *event = text("x".repeat(20_000)),
            Self::Unique => event.metadata = Metadata::new().with("unique", "taken"),
            Self::Taken => {}
            Self::Encoding => event.payload.manifest = "Depo\0sited".into(),
            Self::TooLarge => *event = text(noise(3_000)),
            Self::Raised => *event = text("raise"),
            Self::RaisedWithACode => *event = text("raise with a code"),
            Self::Skipped => *event = text("skip"),
        }
    }

    /// Stores what stands in the way of a write of this guilt.
    pub(crate) async fn prepare(self, store: &Store, guilty: &WriteEvents) {
        let before = match self {
            Self::Taken => write(&guilty.persistence_id, 1, ["before"]),
            _ => return,
        };
        store.journal.write(before).await.unwrap();
    }

    /// Expects that the write was answered by what is wrong with it.
    pub(crate) fn expect(self, result: Result<(), WriteError>) {
        let said = match self {
            Self::Check => "violates check constraint",
            Self::Unique => "one_of_a_kind",
            Self::Encoding => "\\u0000 cannot be converted",
            Self::TooLarge => "exceeds btree",
            Self::Raised | Self::RaisedWithACode => "the rules say no",
            Self::Skipped => "passed over rows",
            Self::Taken => {
                assert_eq!(conflict(result), (1, 1));
                return;
            }
        };
        let rejection = rejection(result);
        assert!(rejection.contains(said), "{self:?}: {rejection}");
    }
}

/// Rules that need no trigger, and a row that is one of a kind.
pub(crate) async fn forbid_rows(store: &Store) {
    store.run(CONSTRAINTS).await;
    let mut taken = write(&id("one of a kind"), 1, ["it"]);
    taken.events[0].metadata = Metadata::new().with("unique", "taken");
    store.journal.write(taken).await.unwrap();
}

/// The same for tables with partitions, where a unique index can hold nothing of what is in `metadata`.
pub(crate) async fn forbid_rows_of_partitions(store: &Store) {
    store.run(CONSTRAINTS_OF_PARTITIONS).await;
}

const CONSTRAINTS: &str = "
alter table journal add constraint short check (octet_length(message) < 20000);
create unique index one_of_a_kind on journal ((metadata->'meta'->>'unique'));
create index on journal (encode(message, 'hex'));";

const CONSTRAINTS_OF_PARTITIONS: &str = "
alter table journal add constraint short check (octet_length(message) < 20000);
create index on journal (encode(message, 'hex'));
create table kinds (kind text constraint one_of_a_kind primary key);
insert into kinds values ('taken');
create function keep_kind() returns trigger language plpgsql as $$
begin
    insert into kinds select new.metadata->'meta'->>'unique';
    return null;
end
$$;
create trigger keep_kind after insert on journal for each row
    when (new.metadata->'meta' ? 'unique') execute function keep_kind();";

/// A trigger with rules of its own.
pub(crate) const TRIGGER: &str = "
create function rules() returns trigger language plpgsql as $$
begin
    case convert_from(new.message, 'UTF8')
        when 'raise' then raise exception 'the rules say no';
        when 'raise with a code' then raise exception using errcode = 'RULES', message = 'the rules say no';
        when 'skip' then return null;
        else return new;
    end case;
end
$$;
create trigger rules before insert on journal for each row execute function rules();";

/// Whoever connects from now on finds no rules.
pub(crate) const NO_TRIGGER: &str = "alter table journal disable trigger rules";
pub(crate) const TRIGGER_AGAIN: &str = "alter table journal enable trigger rules";

/// Text that does not compress.
fn noise(length: usize) -> String {
    let mut dice = fastrand::Rng::with_seed(length as u64);
    std::iter::repeat_with(|| dice.alphanumeric())
        .take(length)
        .collect()
}

/// Events without rules to break.
pub(crate) fn plain(number: usize) -> NewEvent {
    Payload::text(number.to_string()).into()
}
