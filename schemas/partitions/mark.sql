-- Notes the state that a partition has reached, and when.
--
-- Reads: annals.found, annals.state. Locks: the row of the partition.
update partition_life as life set
    state = reached,
    detached_at = case reached when 'detached' then now() else detached_at end,
    verified_at = case reached when 'verified' then now() else verified_at end,
    dropped_at = case reached when 'dropped' then now() else dropped_at end,
    attached_at = case reached when 'attached' then now() else attached_at end,
    by_policy = by_policy and reached not in ('attached', 'restored'),
    changed_by = session_user
from (select current_setting('annals.found')::jsonb as found, current_setting('annals.state') as reached) as looked
where life.schema_name = found ->> 'schema_name' and life.partition = found ->> 'partition';
