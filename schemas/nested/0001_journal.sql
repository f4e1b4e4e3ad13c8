-- The nested layout: a partition a persistence id, divided by range of sequence number. For a few
-- hundred persistence ids with long histories, of which old parts are detached one by one.
-- tables.sql and journal_settings.sql in schemas/common come behind this file.
--
-- Same tables, columns, types, keys and index names as pekko-persistence-postgres. Everything says "if
-- not exists" and nothing is dropped: on a database made by the JVM plugin this file touches no row, no
-- trigger and no existing table.
--
-- By hand: psql -v ON_ERROR_STOP=1 -1 -f 0001_journal.sql "$DATABASE_URL"

-- The operator class of the index on tags. Mind the operators: only those of intarray use that
-- index. Where the schema of intarray is not in search_path, "tags @> ..." silently means the
-- built-in operator and reads the whole table; write "tags operator(its_schema.@>) ..." there.
create extension if not exists intarray;

-- One row an event.
create table if not exists journal (
    -- The order of all events, and the offset of every reader. Its sequence must keep "cache 1".
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
    -- What makes "one writer" true: all events of a persistence id lie in partitions of its own.
    primary key (persistence_id, sequence_number)
) partition by list (persistence_id);

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
