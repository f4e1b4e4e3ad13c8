-- The layout that is divided by ordering: partitions by range of ordering, so that old ones can be
-- detached and archived as a whole. tables.sql and journal_settings.sql in schemas/common come behind
-- this file.
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
    -- The order of all events, and the offset of every reader. Writers name the sequence themselves, as
    -- the JVM plugin does. It must keep "cache 1".
    ordering        bigint                not null,
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
    -- The key must hold the column that divides the table. (persistence_id, sequence_number) is unique
    -- in each partition by an index of the partition, and across partitions by journal_metadata.
    primary key (ordering)
) partition by range (ordering);

create sequence if not exists journal_ordering_seq owned by journal.ordering;

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
