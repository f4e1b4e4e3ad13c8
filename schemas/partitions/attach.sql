-- Attaches a table that left the journal, with the bounds that it had. It has a check that says the same,
-- so that nothing is read under a lock. look.sql comes before this file.
--
-- Reads: annals.found, annals.lock_timeout in milliseconds, annals.retries. Locks: SHARE UPDATE EXCLUSIVE on the parent, which no
-- reader and no writer waits for; ACCESS EXCLUSIVE on the table itself, which readers do not know yet.
do $$
declare
    it jsonb := current_setting('annals.found')::jsonb;
    home regclass := format('%I.%I', it ->> 'schema_name', it ->> 'parent')::regclass;
    try int := 0;
begin
    perform set_config('lock_timeout', current_setting('annals.lock_timeout') || 'ms', true);
    loop
        try := try + 1;
        begin
            execute format('alter table %s attach partition %s %s', home, (it ->> 'oid')::oid::regclass, it ->> 'bound');
            exit;
        exception when lock_not_available or deadlock_detected then
            if try >= current_setting('annals.retries')::int then
                raise;
            end if;
        end;
        perform pg_sleep(0.1 + random() * 0.2);
    end loop;
end
$$;
