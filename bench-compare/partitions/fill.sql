-- Twelve partitions of 3,000 orderings, full of 40 accounts whose snapshots stand behind the first two: those are
-- free to leave, and only those. :low and :high say which orderings.
insert into journal (ordering, sequence_number, persistence_id, message, tags, metadata)
select n, (n - 1) / 40 + 1, 'Account|' || (n - 1) % 40, convert_to(md5(n::text) || md5('a' || n) || md5('b' || n), 'UTF8'),
    array[1 + n % 2], '{"sid": 4, "wid": "filler", "t": 1700000000000}'
from generate_series(:low, :high) as n;
select setval('journal_ordering_seq', :high) \g /dev/null
