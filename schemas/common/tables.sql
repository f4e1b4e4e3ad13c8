-- What every layout has beside its journal: tags, snapshots, and one row a persistence id.
--
-- Same tables, columns, types, keys and names as pekko-persistence-postgres. Everything says "if not
-- exists" and nothing is dropped.

-- The names behind journal.tags. Ids are int4 there: keep the sequence below 2^31.
create table if not exists tags (
    id   bigserial,
    name text not null,
    primary key (id)
);

create unique index if not exists tags_name_idx on tags (name);

create table if not exists snapshot (
    persistence_id  text   not null,
    -- The last event that the snapshot contains.
    sequence_number bigint not null,
    -- Milliseconds since 1970.
    created         bigint not null,
    snapshot        bytea  not null,
    metadata        jsonb  not null,
    primary key (persistence_id, sequence_number)
);

-- One row a persistence id: how far it has come and where in the journal it lies. In the layout that
-- is divided by ordering this row is what makes "one writer" true across partitions.
--
-- Databases from elsewhere may have ten partitions instead of two, and min_ordering and
-- max_ordering swapped. Never count partitions; always name columns.
create table if not exists journal_metadata (
    id                  bigint generated always as identity,
    max_sequence_number bigint not null,
    -- Negative when the first event was not seen: read on from the beginning of the journal then.
    min_ordering        bigint not null,
    max_ordering        bigint not null,
    persistence_id      text   not null,
    primary key (persistence_id)
) partition by hash (persistence_id);

-- Only for a table without partitions: one from elsewhere may be divided otherwise. Every write of a
-- persistence id updates its row; with room left in each page the new version stays beside the old
-- one, and no index is touched.
do $$
begin
    if not exists (select from pg_catalog.pg_inherits where inhparent = 'journal_metadata'::regclass) then
        create table journal_metadata_0 partition of journal_metadata
            for values with (modulus 2, remainder 0) with (fillfactor = 70);
        create table journal_metadata_1 partition of journal_metadata
            for values with (modulus 2, remainder 1) with (fillfactor = 70);
    end if;
end
$$;
