-- The life of partitions that leave the journal: attached, detaching, detached, archived, verified,
-- dropped, restored, and attached again. scripts/partitions writes it; a partition that never left has no
-- row. Readers look here where events are missing: between low and high, in these columns, lies what was
-- taken out, and archive says where it went.
create table if not exists partition_life (
    schema_name     text   not null,
    -- The name of the table, without quotes.
    partition       text   not null,
    -- attached   readers see it
    -- detaching  meant to leave; whether it has is what the catalogue says
    -- detached   a table by itself, whole, which no reader asks
    -- archived   that table is there still, and a dump of it too
    -- verified   the dump was read back and is equal to the table
    -- dropped    the dump is all there is
    -- restored   a table by itself again, not attached yet
    state           text   not null check (state in
        ('attached', 'detaching', 'detached', 'archived', 'verified', 'dropped', 'restored')),
    -- What divides its parent: ordering, or sequence_number in the nested layout.
    divided_by      text   not null check (divided_by in ('ordering', 'sequence_number')),
    -- The table of which it is a partition, in the same schema.
    parent          text   not null,
    -- The bounds of the partition and of its parent (null where that is the journal) as the catalogue
    -- writes them.
    bound           text   not null,
    parent_bound    text,
    -- The same, parsed: from low up to but without high, in what divided_by says. Null means no end.
    low             bigint,
    high            bigint,
    -- The persistence id of all its events in the nested layout; null where they are of many.
    persistence_id  text,
    -- The ends of what is stored in it; null where it holds no event. In the layout by ordering the sequence
    -- numbers are those of many persistence ids.
    first_ordering  bigint,
    last_ordering   bigint,
    first_sequence_number bigint,
    last_sequence_number  bigint,
    row_count       bigint,
    -- The time of its newest event, milliseconds since 1970; null where no event says.
    last_write      bigint,
    -- Equal where all columns of all rows are equal, whatever their order; schemas/partitions/content.sql.
    checksum        text,
    -- Where the dump is: a path, or hook:KEY for what a command has stored. Its manifest and its sums lie
    -- beside it.
    archive         text,
    archive_sha256  text,
    archive_bytes   bigint,
    -- The newest migration at that time, and the server.
    schema_version  int,
    server_id       text,
    detaching_at    timestamptz,
    detached_at     timestamptz,
    archived_at     timestamptz,
    verified_at     timestamptz,
    dropped_at      timestamptz,
    restored_at     timestamptz,
    attached_at     timestamptz,
    -- Whether scripts/partitions/run began it, and goes on with it.
    by_policy       boolean not null default false,
    -- The role that took the last step.
    changed_by      text    not null default session_user,
    primary key (schema_name, partition)
);

-- How far readers have come that are no projections: a partition stays while one of them has not read
-- it. Whoever reads declares it, and deletes its row when it needs nothing any more.
create table if not exists reader_position (
    reader      text   primary key,
    -- The ordering up to which it has dealt with all events.
    read_to     bigint not null,
    declared_at timestamptz not null default now()
);
