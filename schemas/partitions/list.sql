-- Every partition that holds rows, and those that left: a row each. Those whose dump is all there is come
-- with what was known of them then. look.sql comes before this file.
--
-- Reads: annals.partitions. Locks: none that anybody waits for.
select
    it.partition, it.state, it.persistence_id, it.divided_by, it.low, it.high,
    coalesce(l.row_count, nullif(it.estimate, -1)) as rows,
    coalesce(pg_total_relation_size(it.oid::oid), 0) as bytes,
    it.first_ordering, it.last_ordering,
    case when it.last_write is not null then to_timestamp(it.last_write / 1000.0) end as last_write,
    it.projections, it.readers, l.archive
from jsonb_to_recordset(current_setting('annals.partitions')::jsonb) as it (
    partition text, state text, persistence_id text, divided_by text, low bigint, high bigint, estimate bigint, oid bigint,
    first_ordering bigint, last_ordering bigint, last_write bigint, projections text[], readers text[], life jsonb)
cross join lateral jsonb_to_record(coalesce(it.life, '{}')) as l (row_count bigint, archive text)
order by it.persistence_id nulls first, it.low nulls first, it.partition
