//! A row as one text that is the same on both sides, in the SQL of each of them.

use super::Orderings;
use crate::import::source::Source;

/// What a row says: a JSON array, in which everything has one form whatever the version of the server, and
/// the payload behind it.
pub(super) struct Content {
    table: &'static str,
    text: String,
    payload: &'static str,
}

impl Content {
    pub(super) fn of_source(source: &Source, orderings: Orderings) -> Self {
        let (ordering, tags) = (ordering(orderings), source.tags());
        Self {
            table: "event_journal",
            text: format!(
                "json_build_array({ordering}, event.persistence_id::text, event.sequence_number::int8, event.deleted, \
                   event.writer::text, event.write_timestamp::text, coalesce(event.adapter_manifest, '')::text, \
                   event.event_ser_id::text, event.event_ser_manifest::text, {tags}, '{{}}'::text)"
            ),
            payload: "event.event_payload",
        }
    }

    /// A number without a name, which only a damaged journal has, is no name of a tag.
    pub(super) fn of_journal(orderings: Orderings) -> Self {
        let ordering = ordering(orderings);
        Self {
            table: "journal",
            text: format!(
                "json_build_array({ordering}, event.persistence_id, event.sequence_number, event.deleted, \
                   coalesce(event.metadata ->> 'wid', ''), event.metadata ->> 't', coalesce(event.metadata ->> 'em', ''), \
                   event.metadata ->> 'sid', coalesce(event.metadata ->> 'sm', ''), \
                   array(select coalesce(tags.name, '?' || number) as name from unnest(event.tags) as number \
                     left join tags on tags.id = number order by coalesce(tags.name, '?' || number) collate \"C\"), \
                   (event.metadata - array['wid', 't', 'em', 'sid', 'sm'])::text)"
            ),
            payload: "event.message",
        }
    }

    pub(super) fn of_source_snapshot() -> Self {
        Self {
            table: "snapshot",
            text: "json_build_array(event.persistence_id::text, event.sequence_number::int8, event.created::int8, \
                     event.snapshot_ser_id::text, event.snapshot_ser_manifest::text, '{}'::text)"
                .to_owned(),
            payload: "event.snapshot_payload",
        }
    }

    pub(super) fn of_snapshot() -> Self {
        Self {
            table: "snapshot",
            text: "json_build_array(event.persistence_id, event.sequence_number, event.created, \
                     event.metadata ->> 'sid', coalesce(event.metadata ->> 'sm', ''), \
                     (event.metadata - array['sid', 'sm'])::text)"
                .to_owned(),
            payload: "event.snapshot",
        }
    }

    pub(super) fn hash(&self) -> String {
        let (text, payload) = (&self.text, self.payload);
        format!("sha256(convert_to({text}::text, 'UTF8') || {payload})")
    }

    /// Of the rows with orderings behind $1 up to $2: how many they are, and the sum of their hashes, whose
    /// order is of no matter.
    pub(super) fn checksum(&self) -> String {
        let (hash, table) = (self.hash(), self.table);
        let half = |first: u8| {
            format!(
                "coalesce(sum(('x' || encode(substring(hash from {first} for 8), 'hex'))::bit(64)::bigint), 0)"
            )
        };
        let (high, low) = (half(1), half(9));
        format!(
            "select format('%s:%s:%s', count(*), {high}, {low}) from ( \
               select {hash} as hash from {table} as event \
               where event.ordering > $1::int8 and event.ordering <= $2::int8 offset 0 \
             ) as hashed"
        )
    }

    /// The same rows one by one.
    pub(super) fn between(&self) -> String {
        let (hash, table) = (self.hash(), self.table);
        format!(
            "select event.ordering::int8, event.persistence_id::text, event.sequence_number::int8, {hash} \
             from {table} as event \
             where event.ordering > $1::int8 and event.ordering <= $2::int8 order by event.ordering"
        )
    }

    /// Of the rows $1, $2, $3 (persistence ids, sequence numbers, hashes) the first that is not there with
    /// that hash, and whether it is missing.
    pub(super) fn first_otherwise(&self) -> String {
        let (hash, table) = (self.hash(), self.table);
        format!(
            "select wanted.id, wanted.number, there.hash is null \
             from unnest($1::text[], $2::int8[], $3::bytea[]) with ordinality as wanted (id, number, hash, place) \
             left join lateral ( \
               select {hash} as hash from {table} as event \
               where event.persistence_id = wanted.id and event.sequence_number = wanted.number limit 1 \
             ) as there on true \
             where there.hash is distinct from wanted.hash order by wanted.place limit 1"
        )
    }

    /// What the row at $1, $2 says, and the hash of its payload.
    pub(super) fn said(&self) -> String {
        let (text, payload, table) = (&self.text, self.payload, self.table);
        format!(
            "select {text}::text, sha256({payload}) from {table} as event \
             where event.persistence_id = $1::text and event.sequence_number = $2::int8 limit 1"
        )
    }
}

const fn ordering(orderings: Orderings) -> &'static str {
    match orderings {
        Orderings::Kept => "event.ordering::int8",
        Orderings::New => "null::int8",
    }
}
