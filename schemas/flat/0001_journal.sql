-- The flat layout: one journal table for all persistence ids.
--
-- Same tables, columns, types, keys and index names as pekko-persistence-postgres and
-- akka-persistence-postgres, so either side can open what the other has written. Everything says
-- "if not exists" and nothing is dropped: on a database made by the JVM plugin this file adds what
-- is missing and touches no row, no trigger and no existing table.
--
-- The tables go to the first schema of search_path. By hand:
--   psql -v ON_ERROR_STOP=1 -1 -f 0001_journal.sql "$DATABASE_URL"
-- Needs: create on that schema, and create on the database for the extension (intarray is trusted,
-- so no superuser). Or let an administrator run "create extension intarray" once beforehand.

-- The operator class of the index on tags. Mind the operators: only those of intarray use that
-- index. Where the schema of intarray is not in search_path, "tags @> ..." silently means the
-- built-in operator and reads the whole table; write "tags operator(its_schema.@>) ..." there.
create extension if not exists intarray;

-- One row an event.
create table if not exists journal (
    -- The order of all events, and the offset of every reader. Its sequence must keep "cache 1":
    -- with a larger cache a connection hands out numbers far behind those already read.
    ordering        bigserial,
    -- 1, 2, 3, ... without a hole within a persistence id.
    sequence_number bigint                not null,
    -- The logical delete of the JVM plugin.
    deleted         boolean default false not null,
    persistence_id  text                  not null,
    message         bytea                 not null,
    -- Ids from the table tags; {} when there are none (the JVM plugin cannot read null).
    tags            int[],
    -- How to read message: serializer id, manifest, writer, time.
    metadata        jsonb                 not null,
    -- What makes "one writer" true: the second of two writers of the same number gets an error.
    -- It also finds the highest sequence number of a persistence id from the end of the index.
    primary key (persistence_id, sequence_number)
);

-- Events by tag. The operator class is named with the schema in which intarray really is: it may
-- have been installed elsewhere than in search_path.
do $$
begin
    execute (
        select format('create index if not exists journal_tags_idx on journal using gin (tags %I.gin__int_ops)',
                      n.nspname)
        from pg_catalog.pg_extension e
        join pg_catalog.pg_namespace n on n.oid = e.extnamespace
        where e.extname = 'intarray'
    );
end
$$;

-- A window of ordering, for a few bytes a thousand rows. It cannot deliver rows in order.
create index if not exists journal_ordering_idx on journal using brin (ordering);

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

-- One row a persistence id: how far it has come and where in the journal it lies.
--
-- Databases from elsewhere may have ten partitions instead of two, and min_ordering and
-- max_ordering swapped. Never count partitions; always name columns.
--
-- No row trigger keeps this table, unlike in the JVM plugin: it runs an upsert for every event, and
-- in the flat layout the primary key of journal already gives what it is for, the
-- highest sequence number and the refusal of a second writer. A trigger that is there already
-- stays, and stays correct.
create table if not exists journal_metadata (
    id                  bigint generated always as identity,
    max_sequence_number bigint not null,
    -- -1 when the first event was not seen.
    min_ordering        bigint not null,
    max_ordering        bigint not null,
    persistence_id      text   not null,
    primary key (persistence_id)
) partition by hash (persistence_id);

-- Only for a table without partitions: one from elsewhere may be divided otherwise.
do $$
begin
    if not exists (select from pg_catalog.pg_inherits where inhparent = 'journal_metadata'::regclass) then
        create table journal_metadata_0 partition of journal_metadata for values with (modulus 2, remainder 0);
        create table journal_metadata_1 partition of journal_metadata for values with (modulus 2, remainder 1);
    end if;
end
$$;
