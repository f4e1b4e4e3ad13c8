-- Notes that a partition is meant to leave, with its bounds as they are and the ends of what it holds: from the
-- moment it leaves readers must know what they lack. look.sql and guards.sql come before
-- this file.
--
-- Reads: annals.found, annals.ends, annals.by_policy. Locks: the row of the partition.
insert into partition_life as life (
    schema_name, partition, state, divided_by, parent, bound, parent_bound, low, high, persistence_id,
    first_ordering, last_ordering, first_sequence_number, last_sequence_number, detaching_at, by_policy, changed_by)
select it.schema_name, it.partition, 'detaching', it.divided_by, it.parent, it.bound, it.parent_bound, it.low, it.high, it.persistence_id,
    ends.first, ends.last, ends.lowest, ends.highest, now(), current_setting('annals.by_policy')::boolean, session_user
from jsonb_to_record(current_setting('annals.found')::jsonb) as it (
    schema_name text, partition text, divided_by text, parent text, bound text, parent_bound text, low bigint, high bigint, persistence_id text),
    jsonb_to_record(current_setting('annals.ends')::jsonb) as ends (first bigint, last bigint, lowest bigint, highest bigint)
on conflict (schema_name, partition) do update set
    state = excluded.state, divided_by = excluded.divided_by, parent = excluded.parent, bound = excluded.bound,
    parent_bound = excluded.parent_bound, low = excluded.low, high = excluded.high, persistence_id = excluded.persistence_id,
    first_ordering = excluded.first_ordering, last_ordering = excluded.last_ordering,
    first_sequence_number = excluded.first_sequence_number, last_sequence_number = excluded.last_sequence_number, row_count = null, last_write = null, checksum = null,
    archive = null, archive_sha256 = null, archive_bytes = null, schema_version = null, server_id = null,
    detaching_at = excluded.detaching_at, detached_at = null, archived_at = null, verified_at = null, dropped_at = null,
    restored_at = null, attached_at = null, by_policy = excluded.by_policy, changed_by = excluded.changed_by;
