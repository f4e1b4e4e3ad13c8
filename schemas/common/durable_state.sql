-- States without events: the newest state of each persistence id, and nothing of how it came about.
--
-- Columns, key and sequence of the table durable_state of pekko-persistence-jdbc, and columns of our
-- own that may be null, so that the JVM reads and writes the same rows. Like the files before it,
-- this one adds what is missing and touches no row.
create table if not exists durable_state (
    -- Where the newest change of the persistence id stands among all changes; drawn anew by every
    -- write, so gaps are normal. Its sequence must keep "cache 1", as that of journal.ordering.
    global_offset         bigserial,
    persistence_id        text   not null,
    -- 1, 2, 3, ...: every write and every deletion takes the next one.
    revision              bigint not null,
    -- No bytes of the serializer 0 mean that the state was deleted. The row stays, so that no
    -- revision is given twice; the JVM reads it as "no value" with that revision.
    state_payload         bytea  not null,
    state_serial_id       int    not null,
    state_serial_manifest text,
    tag                   text,
    -- Milliseconds since 1970, by the writer's clock.
    state_timestamp       bigint not null,
    primary key (persistence_id)
);

-- Who wrote the revision writer_revision. Where that is not the revision of the row, somebody who
-- does not know these columns has written since.
alter table durable_state add column if not exists writer uuid;
alter table durable_state add column if not exists writer_revision bigint;
-- The slice of the persistence id, 0 to 1023; null where a JVM made the row: readers then reckon.
alter table durable_state add column if not exists slice int;

-- Changes in their order; the name is that of the JVM's own index.
create index if not exists state_global_offset_idx on durable_state (global_offset);

-- Changes by tag in their order.
create index if not exists state_tag_offset_idx on durable_state (tag, global_offset) where tag is not null;
