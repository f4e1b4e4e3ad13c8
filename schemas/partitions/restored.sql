-- Notes a partition that stands beside the journal again. restore_table.sql, the rows, content.sql and
-- differences.sql come before this file, in the same transaction.
--
-- Reads: annals.manifest, annals.content, annals.home, annals.archive, annals.archive_sha256,
-- annals.archive_bytes. Locks: the row of the partition.
insert into partition_life as life (
    schema_name, partition, state, divided_by, parent, bound, parent_bound, low, high, persistence_id,
    first_ordering, last_ordering, first_sequence_number, last_sequence_number, row_count, last_write, checksum,
    archive, archive_sha256, archive_bytes, schema_version, server_id, restored_at)
select n.nspname, m.partition, 'restored', m.divided_by, current_setting('annals.home'), m.bound, m.parent_bound, m.low, m.high, m.persistence_id,
    c.first_ordering, c.last_ordering, c.first_sequence_number, c.last_sequence_number, c.rows, c.last_write, c.checksum,
    current_setting('annals.archive'), current_setting('annals.archive_sha256'), current_setting('annals.archive_bytes')::bigint,
    m.schema_version, m.server ->> 'id', now()
from pg_catalog.pg_class j join pg_catalog.pg_namespace n on n.oid = j.relnamespace,
    jsonb_to_record(current_setting('annals.manifest')::jsonb) as m (
        partition text, divided_by text, bound text, parent_bound text, low bigint, high bigint, persistence_id text, schema_version int, server jsonb),
    jsonb_to_record(current_setting('annals.content')::jsonb) as c (
        rows bigint, first_ordering bigint, last_ordering bigint, first_sequence_number bigint, last_sequence_number bigint, last_write bigint, checksum text)
where j.oid = 'journal'::regclass
on conflict (schema_name, partition) do update set
    state = excluded.state, parent = excluded.parent, restored_at = excluded.restored_at, attached_at = null,
    archive = excluded.archive, archive_sha256 = excluded.archive_sha256, archive_bytes = excluded.archive_bytes,
    row_count = excluded.row_count, checksum = excluded.checksum, by_policy = false, changed_by = session_user;
