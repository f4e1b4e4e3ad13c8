-- A flat journal as pekko-persistence-postgres 0.8.2 left it: its DDL, and rows that it wrote.
create table public.journal (
    ordering        bigserial,
    sequence_number bigint                not null,
    deleted         boolean default false not null,
    persistence_id  text                  not null,
    message         bytea                 not null,
    tags            int[],
    metadata        jsonb                 not null,
    primary key (persistence_id, sequence_number)
);
create index journal_tags_idx on public.journal using gin (tags public.gin__int_ops);
create index journal_ordering_idx on public.journal using brin (ordering);

insert into public.journal (ordering, sequence_number, deleted, persistence_id, message, tags, metadata) values
    (1, 1, true, 'Log|1', '\x4c6f677c312331', '{}',
        '{"t": 1795273357223, "sid": 20, "wid": "28d090b8-4134-4c04-bfba-a17d53c2b6fc"}'),
    (2, 2, true, 'Log|1', '\x4c6f677c312332', '{1}',
        '{"t": 1795273358957, "sid": 20, "wid": "74bc05e4-9a97-4fc0-9c21-3b66d11978c6"}'),
    (3, 3, false, 'Log|1', '\x4c6f677c312333', '{2}',
        '{"t": 1795273359544, "sid": 20, "wid": "45212b2d-515c-4510-a5aa-b65169cdef15"}'),
    (4, 4, false, 'Log|1', '\x4c6f677c312334', '{2,1}',
        '{"t": 1795273359558, "sid": 20, "wid": "c035787b-08c4-4f38-8e60-7c5772849e9d"}'),
    (5, 5, false, 'Log|1', '\x4c6f677c312335', '{2,1}',
        '{"t": 1795273359558, "sid": 20, "wid": "c035787b-08c4-4f38-8e60-7c5772849e9d"}'),
    (6, 6, false, 'Log|1', '\x4c6f677c312336', '{2,1}',
        '{"t": 1795273359558, "sid": 20, "wid": "c035787b-08c4-4f38-8e60-7c5772849e9d"}'),
    (7, 1, false, 'bytes-1', '\x62797465732d312331', '{1}',
        '{"t": 1795273359565, "sid": 4, "wid": "3a3548f2-fc5c-4f79-a8e1-2dfe99070ef8"}'),
    (8, 2, false, 'bytes-1', '\x62797465732d312332', '{1}',
        '{"t": 1795273359565, "sid": 4, "wid": "3a3548f2-fc5c-4f79-a8e1-2dfe99070ef8"}'),
    (9, 1, false, 'Zähler|ü', '\x5ac3a4686c65727cc3bc2331', '{}',
        '{"t": 1795273359572, "sid": 20, "wid": "16ec7627-c368-43d1-8eff-ffb878e85686"}'),
    (10, 2, false, 'Zähler|ü', '\x5ac3a4686c65727cc3bc2332', '{}',
        '{"t": 1795273359609, "sid": 20, "wid": "16ec7627-c368-43d1-8eff-ffb878e85686"}'),
    (11, 7, false, 'Log|1', '\x4c6f677c312337', '{}',
        '{"t": 1795273359616, "sid": 20, "wid": "d0d83510-553f-4cdd-b9da-3d64765bb1a7"}'),
    (12, 8, false, 'Log|1', '\x4c6f677c312338', '{}',
        '{"t": 1795273359616, "sid": 20, "wid": "d0d83510-553f-4cdd-b9da-3d64765bb1a7"}'),
    (13, 9, false, 'Log|1', '\x4c6f677c312339', '{}',
        '{"t": 1795273359616, "sid": 20, "wid": "d0d83510-553f-4cdd-b9da-3d64765bb1a7"}'),
    (14, 1, false, 'number', '\x0100000000000000', '{}',
        '{"t": 1795273359662, "sid": 18, "wid": "db135eba-14e3-48cc-9099-d4f521ffb227"}'),
    (15, 1, false, 'Log|3', '\x6f74686572', '{1}',
        '{"t": 0, "sid": 20, "wid": ""}'),
    (16, 2, false, 'Log|3', '\x4c6f677c332332', '{1}',
        '{"t": 1795273360226, "sid": 20, "wid": "ddd181f5-f726-435c-946e-9105358feb4e"}');

insert into public.journal_metadata (id, max_sequence_number, min_ordering, max_ordering, persistence_id)
    overriding system value values
    (1, 9, 1, 13, 'Log|1'),
    (7, 2, 7, 8, 'bytes-1'),
    (9, 2, 9, 10, 'Zähler|ü'),
    (14, 1, 14, 14, 'number'),
    (15, 2, 15, 16, 'Log|3');
insert into public.tags (id, name) values (1, 'eu'), (2, 'vip');
insert into public.snapshot (persistence_id, sequence_number, created, snapshot, metadata) values
    ('Log|1', 6, 1795273359843, '\x736978', '{"sid": 20}');
select setval('public.journal_ordering_seq', 16);
select setval('public.journal_metadata_id_seq', 16);
select setval('public.tags_id_seq', 2);

create trigger trig_update_journal_metadata after insert on public.journal
    for each row execute procedure public.update_journal_metadata();
