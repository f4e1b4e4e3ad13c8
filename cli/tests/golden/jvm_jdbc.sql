-- A journal as pekko-persistence-jdbc 1.1.1 left it: its DDL for PostgreSQL, and rows that it wrote by the
-- journal and snapshot plugins of Pekko 1.2 on PostgreSQL 15 (strings, bytes, a number; tags; an event adapter's
-- manifest; deletes up to an event and of all events; snapshots). The tables go to the first schema of search_path.
create table event_journal (
    ordering           bigserial,
    persistence_id     varchar(255)          not null,
    sequence_number    bigint                not null,
    deleted            boolean default false not null,
    writer             varchar(255)          not null,
    write_timestamp    bigint,
    adapter_manifest   varchar(255),
    event_ser_id       integer               not null,
    event_ser_manifest varchar(255)          not null,
    event_payload      bytea                 not null,
    meta_ser_id        integer,
    meta_ser_manifest  varchar(255),
    meta_payload       bytea,
    primary key (persistence_id, sequence_number)
);
create unique index event_journal_ordering_idx on event_journal (ordering);

create table event_tag (
    event_id bigint,
    tag      varchar(256),
    primary key (event_id, tag),
    constraint fk_event_journal foreign key (event_id) references event_journal (ordering) on delete cascade
);

create table snapshot (
    persistence_id        varchar(255) not null,
    sequence_number       bigint       not null,
    created               bigint       not null,
    snapshot_ser_id       integer      not null,
    snapshot_ser_manifest varchar(255) not null,
    snapshot_payload      bytea        not null,
    meta_ser_id           integer,
    meta_ser_manifest     varchar(255),
    meta_payload          bytea,
    primary key (persistence_id, sequence_number)
);

create table durable_state (
    global_offset         bigserial,
    persistence_id        varchar(255) not null,
    revision              bigint       not null,
    state_payload         bytea        not null,
    state_serial_id       integer      not null,
    state_serial_manifest varchar(255),
    tag                   varchar,
    state_timestamp       bigint       not null,
    primary key (persistence_id)
);
create index state_tag_idx on durable_state (tag);
create index state_global_offset_idx on durable_state (global_offset);

insert into event_journal (ordering, persistence_id, sequence_number, deleted, writer, write_timestamp, adapter_manifest,
    event_ser_id, event_ser_manifest, event_payload, meta_ser_id, meta_ser_manifest, meta_payload) values
    (3, 'Log|1', 3, false, '28d090b8-4134-4c04-bfba-a17d53c2b6fc', 1796025387874, '', 20, '', '\x7468726565', null, null, null),
    (4, 'bytes-1', 1, false, '74bc05e4-9a97-4fc0-9c21-3b66d11978c6', 1796025388123, '', 4, '', '\x0001ff', null, null, null),
    (5, 'bytes-1', 2, false, '74bc05e4-9a97-4fc0-9c21-3b66d11978c6', 1796025388123, '', 4, '', '\x', null, null, null),
    (6, 'Log|1', 4, false, '28d090b8-4134-4c04-bfba-a17d53c2b6fc', 1796025388147, '', 20, '', '\x666f7572', null, null, null),
    (2, 'Log|1', 2, true, '28d090b8-4134-4c04-bfba-a17d53c2b6fc', 1796025387874, '', 20, '', '\x74776f', null, null, null),
    (7, 'Zähler|ü', 1, false, '74bc05e4-9a97-4fc0-9c21-3b66d11978c6', 1796025388271, 'v2', 20, '', '\x65696e2045726569676e697320276d69742720225a65696368656e22205c20f09f9880', null, null, null),
    (10, 'gone', 3, true, '74bc05e4-9a97-4fc0-9c21-3b66d11978c6', 1796025388280, '', 20, '', '\x63', null, null, null),
    (11, 'number', 1, false, '28d090b8-4134-4c04-bfba-a17d53c2b6fc', 1796025388303, '', 18, '', '\x0100000000000000', null, null, null),
    (12, 'Log|1', 5, false, '74bc05e4-9a97-4fc0-9c21-3b66d11978c6', 1796025388305, '', 20, '', '\x66697665', null, null, null),
    (13, 'Log|1', 6, false, '74bc05e4-9a97-4fc0-9c21-3b66d11978c6', 1796025388305, '', 20, '', '\x736978', null, null, null);

insert into event_tag (event_id, tag) values
    (3, 'eu'),
    (4, 'vip'),
    (4, 'eu'),
    (6, 'eu'),
    (6, 'vip'),
    (7, 'größe|€');

insert into snapshot (persistence_id, sequence_number, created, snapshot_ser_id, snapshot_ser_manifest,
    snapshot_payload, meta_ser_id, meta_ser_manifest, meta_payload) values
    ('Log|1', 4, 1796025388309, 20, '', '\x6f6e652074776f20746872656520666f7572', null, null, null),
    ('Log|1', 6, 1796025388347, 20, '', '\x616c6c20736978', null, null, null),
    ('bytes-1', 2, 1796025388350, 4, '', '\x090807', null, null, null);
select setval('event_journal_ordering_seq', 13);
