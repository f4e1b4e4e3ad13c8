-- What stands beside a journal that fill.sql has filled.
insert into tags (name) values ('red'), ('blue');
insert into snapshot (persistence_id, sequence_number, created, snapshot, metadata)
select 'Account|' || n, 200, 0, '', '{"sid": 4}' from generate_series(0, 39) as n;
insert into probe.append values ($$
    insert into journal (ordering, sequence_number, persistence_id, message, tags, metadata)
    values (nextval('journal_ordering_seq'), $1, 'Writer|1', 'x', '{}', '{"sid": 4, "wid": "writer", "t": 1}')
$$);
