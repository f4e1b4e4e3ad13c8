-- Brings the state of one partition in line with what the catalogue says, for a step that was ended in
-- its middle. look.sql comes before this file, and again behind it.
--
-- Reads: annals.found. Locks: the row of the partition.
update partition_life as life set
    state = case
        -- The step before the detaching itself, or the one behind the attaching.
        when found ->> 'is' = 'attached' then 'attached'
        when found ->> 'is' = 'pending' then 'detaching'
        when found ->> 'is' = 'standing' and state = 'detaching' then 'detached'
        when found ->> 'is' = 'gone' and state = 'verified' then 'dropped'
        else state
    end,
    attached_at = case when found ->> 'is' = 'attached' and state <> 'attached' then now() else attached_at end,
    detached_at = case when found ->> 'is' = 'standing' and state = 'detaching' then now() else detached_at end,
    dropped_at = case when found ->> 'is' = 'gone' and state = 'verified' then now() else dropped_at end,
    changed_by = session_user
from (select nullif(current_setting('annals.found'), '')::jsonb as found) as looked
where life.schema_name = found ->> 'schema_name' and life.partition = found ->> 'partition'
  and (found ->> 'is', life.state) in (
    ('attached', 'detaching'), ('attached', 'detached'), ('attached', 'archived'), ('attached', 'verified'),
    ('attached', 'dropped'), ('attached', 'restored'), ('pending', 'attached'), ('standing', 'detaching'), ('gone', 'verified')
  );
