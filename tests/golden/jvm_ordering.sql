-- A journal divided by ordering as pekko-persistence-postgres 0.8.2 left it, with partitions of five
-- numbers: its DDL, the partitions that it made, and rows that it wrote.
create table public.journal (
    ordering        bigint,
    sequence_number bigint                not null,
    deleted         boolean default false not null,
    persistence_id  text                  not null,
    message         bytea                 not null,
    tags            int[],
    metadata        jsonb                 not null,
    primary key (ordering)
) partition by range (ordering);
create sequence public.journal_ordering_seq owned by public.journal.ordering;
create index journal_tags_idx on public.journal using gin (tags public.gin__int_ops);

create table public.j_0 partition of public.journal for values from (0) to (5);
create unique index j_0_persistence_sequence_idx on public.j_0 (persistence_id, sequence_number);
create table public.j_1 partition of public.journal for values from (5) to (10);
create unique index j_1_persistence_sequence_idx on public.j_1 (persistence_id, sequence_number);
create table public.j_2 partition of public.journal for values from (10) to (15);
create unique index j_2_persistence_sequence_idx on public.j_2 (persistence_id, sequence_number);
create table public.j_3 partition of public.journal for values from (15) to (20);
create unique index j_3_persistence_sequence_idx on public.j_3 (persistence_id, sequence_number);

insert into public.journal (ordering, sequence_number, deleted, persistence_id, message, tags, metadata) values
    (1, 1, true, 'Log|1', '\x4c6f677c312331', '{}',
        '{"t": 1795273378191, "sid": 20, "wid": "e06b6513-eb33-4d17-af69-7c59043a312f"}'),
    (2, 2, true, 'Log|1', '\x4c6f677c312332', '{1}',
        '{"t": 1795273380155, "sid": 20, "wid": "786dbbad-dd56-48f2-a6a4-43d0ecb664c4"}'),
    (3, 3, false, 'Log|1', '\x4c6f677c312333', '{2}',
        '{"t": 1795273380631, "sid": 20, "wid": "f779d653-c63e-4cd4-b398-eb1c6eecccb2"}'),
    (4, 4, false, 'Log|1', '\x4c6f677c312334', '{2,1}',
        '{"t": 1795273380672, "sid": 20, "wid": "47566aa1-437d-4b18-b768-080cf8981d03"}'),
    (5, 5, false, 'Log|1', '\x4c6f677c312335', '{2,1}',
        '{"t": 1795273380672, "sid": 20, "wid": "47566aa1-437d-4b18-b768-080cf8981d03"}'),
    (6, 6, false, 'Log|1', '\x4c6f677c312336', '{2,1}',
        '{"t": 1795273380672, "sid": 20, "wid": "47566aa1-437d-4b18-b768-080cf8981d03"}'),
    (7, 1, false, 'bytes-1', '\x62797465732d312331', '{1}',
        '{"t": 1795273380725, "sid": 4, "wid": "67759d74-867b-48cb-a055-2b9fe1bbbcb5"}'),
    (8, 2, false, 'bytes-1', '\x62797465732d312332', '{1}',
        '{"t": 1795273380725, "sid": 4, "wid": "67759d74-867b-48cb-a055-2b9fe1bbbcb5"}'),
    (9, 1, false, 'Zähler|ü', '\x5ac3a4686c65727cc3bc2331', '{}',
        '{"t": 1795273380734, "sid": 20, "wid": "9c356b4d-b19f-421f-aa90-deee30000c51"}'),
    (10, 2, false, 'Zähler|ü', '\x5ac3a4686c65727cc3bc2332', '{}',
        '{"t": 1795273380743, "sid": 20, "wid": "9c356b4d-b19f-421f-aa90-deee30000c51"}'),
    (11, 7, false, 'Log|1', '\x4c6f677c312337', '{}',
        '{"t": 1795273380753, "sid": 20, "wid": "d37f08b8-95a9-4b82-8dcf-6bc788937211"}'),
    (12, 8, false, 'Log|1', '\x4c6f677c312338', '{}',
        '{"t": 1795273380753, "sid": 20, "wid": "d37f08b8-95a9-4b82-8dcf-6bc788937211"}'),
    (13, 9, false, 'Log|1', '\x4c6f677c312339', '{}',
        '{"t": 1795273380753, "sid": 20, "wid": "d37f08b8-95a9-4b82-8dcf-6bc788937211"}'),
    (14, 1, false, 'number', '\x0100000000000000', '{}',
        '{"t": 1795273380763, "sid": 18, "wid": "c36814a3-aaab-450d-872b-17344ffd40ee"}'),
    (15, 1, false, 'Log|3', '\x6f74686572', '{1}',
        '{"t": 0, "sid": 20, "wid": ""}'),
    (16, 2, false, 'Log|3', '\x4c6f677c332332', '{1}',
        '{"t": 1795273380994, "sid": 20, "wid": "ba62733b-08b9-4bf1-b302-fa51a12c73c6"}');

insert into public.journal_metadata (id, max_sequence_number, min_ordering, max_ordering, persistence_id)
    overriding system value values
    (1, 9, 1, 13, 'Log|1'),
    (7, 2, 7, 8, 'bytes-1'),
    (9, 2, 9, 10, 'Zähler|ü'),
    (14, 1, 14, 14, 'number'),
    (15, 2, 15, 16, 'Log|3');
insert into public.tags (id, name) values (1, 'eu'), (2, 'vip');
insert into public.snapshot (persistence_id, sequence_number, created, snapshot, metadata) values
    ('Log|1', 6, 1795273380812, '\x736978', '{"sid": 20}');
select setval('public.journal_ordering_seq', 16);
select setval('public.journal_metadata_id_seq', 16);
select setval('public.tags_id_seq', 2);

create trigger trig_update_journal_metadata after insert on public.journal
    for each row execute procedure public.update_journal_metadata();
