-- A nested journal as pekko-persistence-postgres 0.8.2 left it, with partitions of four events: its
-- DDL, the partitions that it made, and rows that it wrote.
create table public.journal (
    ordering        bigserial,
    sequence_number bigint                not null,
    deleted         boolean default false not null,
    persistence_id  text                  not null,
    message         bytea                 not null,
    tags            int[],
    metadata        jsonb                 not null,
    primary key (persistence_id, sequence_number)
) partition by list (persistence_id);
create index journal_tags_idx on public.journal using gin (tags public.gin__int_ops);
create index journal_ordering_idx on public.journal using brin (ordering);

create table public.j_log_1 partition of public.journal for values in ('Log|1') partition by range (sequence_number);
create table public.j_log_1_0 partition of public.j_log_1 for values from (0) to (4);
create table public.j_log_1_1 partition of public.j_log_1 for values from (4) to (8);
create table public.j_log_1_2 partition of public.j_log_1 for values from (8) to (12);
create table public.j_bytes_1 partition of public.journal for values in ('bytes-1') partition by range (sequence_number);
create table public.j_bytes_1_0 partition of public.j_bytes_1 for values from (0) to (4);
create table public.j_z_hler__ partition of public.journal for values in ('Zähler|ü') partition by range (sequence_number);
create table public.j_z_hler___0 partition of public.j_z_hler__ for values from (0) to (4);
create table public.j_number partition of public.journal for values in ('number') partition by range (sequence_number);
create table public.j_number_0 partition of public.j_number for values from (0) to (4);
create table public.j_log_3 partition of public.journal for values in ('Log|3') partition by range (sequence_number);
create table public.j_log_3_0 partition of public.j_log_3 for values from (0) to (4);

insert into public.journal (ordering, sequence_number, deleted, persistence_id, message, tags, metadata) values
    (1, 1, true, 'Log|1', '\x4c6f677c312331', '{}',
        '{"t": 1795273393443, "sid": 20, "wid": "50675f0f-b22a-43d7-8b03-a33f13c490b3"}'),
    (2, 2, true, 'Log|1', '\x4c6f677c312332', '{1}',
        '{"t": 1795273394739, "sid": 20, "wid": "9630fd7b-f4fe-40d3-a706-205707320661"}'),
    (3, 3, false, 'Log|1', '\x4c6f677c312333', '{2}',
        '{"t": 1795273395105, "sid": 20, "wid": "a590c01b-c47f-4218-a877-1e87510b59f0"}'),
    (4, 4, false, 'Log|1', '\x4c6f677c312334', '{2,1}',
        '{"t": 1795273395137, "sid": 20, "wid": "317a26f0-1f78-4d61-94a6-46e24198e0b8"}'),
    (5, 5, false, 'Log|1', '\x4c6f677c312335', '{2,1}',
        '{"t": 1795273395137, "sid": 20, "wid": "317a26f0-1f78-4d61-94a6-46e24198e0b8"}'),
    (6, 6, false, 'Log|1', '\x4c6f677c312336', '{2,1}',
        '{"t": 1795273395137, "sid": 20, "wid": "317a26f0-1f78-4d61-94a6-46e24198e0b8"}'),
    (7, 1, false, 'bytes-1', '\x62797465732d312331', '{1}',
        '{"t": 1795273395183, "sid": 4, "wid": "854ceabc-9990-4f24-9a24-465c16f8c0c3"}'),
    (8, 2, false, 'bytes-1', '\x62797465732d312332', '{1}',
        '{"t": 1795273395183, "sid": 4, "wid": "854ceabc-9990-4f24-9a24-465c16f8c0c3"}'),
    (9, 1, false, 'Zähler|ü', '\x5ac3a4686c65727cc3bc2331', '{}',
        '{"t": 1795273395235, "sid": 20, "wid": "629169ee-62d4-4e59-ac77-963a6adddb43"}'),
    (10, 2, false, 'Zähler|ü', '\x5ac3a4686c65727cc3bc2332', '{}',
        '{"t": 1795273395253, "sid": 20, "wid": "629169ee-62d4-4e59-ac77-963a6adddb43"}'),
    (11, 7, false, 'Log|1', '\x4c6f677c312337', '{}',
        '{"t": 1795273395265, "sid": 20, "wid": "4694ac24-2067-4ae4-ab84-0f1bb37ff940"}'),
    (12, 8, false, 'Log|1', '\x4c6f677c312338', '{}',
        '{"t": 1795273395265, "sid": 20, "wid": "4694ac24-2067-4ae4-ab84-0f1bb37ff940"}'),
    (13, 9, false, 'Log|1', '\x4c6f677c312339', '{}',
        '{"t": 1795273395265, "sid": 20, "wid": "4694ac24-2067-4ae4-ab84-0f1bb37ff940"}'),
    (14, 1, false, 'number', '\x0100000000000000', '{}',
        '{"t": 1795273395286, "sid": 18, "wid": "2ba632a9-1443-44d8-b674-1a4326c60e07"}'),
    (15, 1, false, 'Log|3', '\x6f74686572', '{1}',
        '{"t": 0, "sid": 20, "wid": ""}'),
    (16, 2, false, 'Log|3', '\x4c6f677c332332', '{1}',
        '{"t": 1795273395388, "sid": 20, "wid": "e353c6f0-f668-4f4e-b832-3dea0ba473fc"}');

insert into public.journal_metadata (id, max_sequence_number, min_ordering, max_ordering, persistence_id)
    overriding system value values
    (1, 9, 1, 13, 'Log|1'),
    (7, 2, 7, 8, 'bytes-1'),
    (9, 2, 9, 10, 'Zähler|ü'),
    (14, 1, 14, 14, 'number'),
    (15, 2, 15, 16, 'Log|3');
insert into public.tags (id, name) values (1, 'eu'), (2, 'vip');
insert into public.snapshot (persistence_id, sequence_number, created, snapshot, metadata) values
    ('Log|1', 6, 1795273395356, '\x736978', '{"sid": 20}');
select setval('public.journal_ordering_seq', 16);
select setval('public.journal_metadata_id_seq', 16);
select setval('public.tags_id_seq', 2);

create trigger trig_update_journal_metadata after insert on public.journal
    for each row execute procedure public.update_journal_metadata();
