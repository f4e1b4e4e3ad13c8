-- The statement that detaches a partition, or finishes what was interrupted: as text, since it can run in no
-- transaction, and in no function. Empty where it is detached.
--
-- Reads: annals.found. Locks, when it runs: SHARE UPDATE EXCLUSIVE on the parent, which no reader and no
-- writer waits for; then it waits for all transactions that have touched the journal before.
select format('alter table %s detach partition %s %s',
    (it ->> 'parent_oid')::oid::regclass, (it ->> 'oid')::oid::regclass,
    case it ->> 'is' when 'pending' then 'finalize' else 'concurrently' end)
from (select current_setting('annals.found')::jsonb as it) as looked
where it ->> 'is' in ('attached', 'pending')
