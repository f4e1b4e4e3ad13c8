-- The settings of a session of scripts/partitions. The values come from psql, so that no shell puts SQL
-- together.
set idle_in_transaction_session_timeout = 0;
set statement_timeout = 0;
set client_min_messages = warning;
set bytea_output = hex;
-- Compiling takes longer than it saves where a row is hashed once.
set jit = off;
-- One processor of the server is enough: the others are for those who write meanwhile.
set max_parallel_workers_per_gather = 0;
set max_parallel_maintenance_workers = 0;
-- What a restore writes goes to the disk as it comes, and not in bursts behind which commits would wait.
set backend_flush_after = '256kB';
select
    case when :'schema' <> '' then set_config('search_path', quote_ident(:'schema') || ', ' || current_setting('search_path'), false) end,
    set_config('annals.wait', :'wait', false),
    set_config('annals.lock_timeout', :'lock_timeout', false),
    set_config('annals.retries', :'retries', false),
    set_config('annals.by_policy', 'false', false),
    set_config('annals.reasons', '[]', false)
\g /dev/null

-- What belongs to the journal lies beside it, wherever it was found.
select set_config('search_path', quote_ident(n.nspname) || ', ' || current_setting('search_path'), false)
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.oid = to_regclass('journal')
\g /dev/null
