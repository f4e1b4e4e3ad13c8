-- Brings the state of one partition in line with what the catalogue says: for a step that was ended in its
-- middle, and for what somebody did by hand. look.sql comes before this file, and again behind it.
--
-- Reads: annals.found. Locks: the row of the partition.
update partition_life as life set
    state = truth.state,
    attached_at = case truth.state when 'attached' then now() else attached_at end,
    detached_at = case truth.state when 'detached' then now() else detached_at end,
    dropped_at = case truth.state when 'dropped' then now() else dropped_at end,
    restored_at = case truth.state when 'restored' then now() else restored_at end,
    changed_by = session_user
from (select nullif(current_setting('annals.found'), '')::jsonb as found) as looked
cross join lateral (
    select case found ->> 'is'
        when 'attached' then 'attached'
        when 'pending' then 'detaching'
        when 'standing' then case
            when found ->> 'state' in ('attached', 'detaching') then 'detached'
            -- Attaching compares what it holds with what was archived.
            when found ->> 'state' = 'dropped' then 'restored'
            else found ->> 'state'
        end
        -- What was never archived is gone for good; that is told, and not noted.
        when 'gone' then case
            when found ->> 'state' in ('archived', 'verified', 'restored') then 'dropped'
            else found ->> 'state'
        end
    end as state
) as truth
where life.schema_name = found ->> 'schema_name' and life.partition = found ->> 'partition' and life.state <> truth.state;
