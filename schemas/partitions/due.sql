-- The names of the partitions that a policy lets go, the oldest first, and of those with which an earlier run
-- was not done. Partitions without an end, or behind the newest event, stay. look.sql and measure.sql come
-- before this file.
--
-- Reads: annals.partitions, annals.keep_partitions, annals.keep_days (empty where nobody asks). Where both say
-- something, what either keeps stays.
with it as (
    select partition, "is", state, persistence_id, low, high, last_ordering, last_write, bound, divisible,
        (life ->> 'by_policy')::boolean as by_policy
    from jsonb_to_recordset(current_setting('annals.partitions')::jsonb) as it (
        partition text, "is" text, state text, persistence_id text, low bigint, high bigint, last_ordering bigint,
        last_write bigint, bound text, divisible boolean, life jsonb)
), filled as (
    select persistence_id, low, row_number() over (partition by persistence_id order by low desc) as place
    from it where "is" = 'attached' and last_ordering is not null and divisible and bound <> 'DEFAULT'
), kept as (
    -- Where the newest partitions begin of which each keeps so many.
    select persistence_id, min(low) as from_low
    from filled where place <= greatest(coalesce(nullif(current_setting('annals.keep_partitions'), '')::bigint, 1), 1)
    group by persistence_id
)
select it.partition
from it left join kept on kept.persistence_id is not distinct from it.persistence_id
where it.partition !~ '[[:cntrl:]]' and (
    by_policy and ("is" = 'pending' or "is" = 'standing' and state <> 'restored')
    or "is" = 'attached' and divisible and bound <> 'DEFAULT' and high is not null
        and coalesce(low < kept.from_low, kept.from_low is not null)
        and case when nullif(current_setting('annals.keep_days'), '') is not null then
            last_write < extract(epoch from now() - current_setting('annals.keep_days')::int * interval '1 day') * 1000
        else true end
)
order by it.persistence_id nulls first, it.low nulls first, it.partition
