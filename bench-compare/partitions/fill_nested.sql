-- The layout that the scripts of the JVM plugin know: twelve partitions of 3,000 events of one ledger, whose snapshot
-- stands behind the first one, which alone is free to leave, and an entity beside it that has none.
create table j_ledger partition of journal for values in ('ledger') partition by range (sequence_number);
create table j_small partition of journal for values in ('small') partition by range (sequence_number);
create table j_small_0 partition of j_small for values from (0) to (3000);
select format('create table j_ledger_%s partition of j_ledger for values from (%s) to (%s)', n, n * 3000, n * 3000 + 3000)
from generate_series(0, 12) as n \gexec
insert into journal (sequence_number, persistence_id, message, tags, metadata)
select n, id, convert_to(md5(n::text) || md5('a' || n) || md5('b' || n), 'UTF8'), array[1 + n % 2], '{"sid": 4, "wid": "filler", "t": 1700000000000}'
from (values ('ledger', 35999), ('small', 100)) as ids (id, high), generate_series(1, high) as n;
insert into tags (name) values ('red'), ('blue');
insert into snapshot (persistence_id, sequence_number, created, snapshot, metadata) values ('ledger', 5000, 0, '', '{"sid": 4}');
insert into probe.append values ($$
    insert into journal (sequence_number, persistence_id, message, tags, metadata)
    values (35999 + $1, 'ledger', 'x', '{}', '{"sid": 4, "wid": "writer", "t": 1}')
$$);
