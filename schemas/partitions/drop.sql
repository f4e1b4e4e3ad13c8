-- Drops a detached table. Its dump has been compared with it in the same transaction.
--
-- Reads: annals.found. Locks: ACCESS EXCLUSIVE on the table, which nobody uses.
do $$
begin
    execute format('drop table %s', (current_setting('annals.found')::jsonb ->> 'oid')::oid::regclass);
end
$$;
