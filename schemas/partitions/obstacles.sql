-- What makes it impossible to detach a partition, a line each, which nobody can force. look.sql comes
-- before this file.
--
-- Sets: annals.reasons, and annals.edge: the number behind the newest one. Locks: ACCESS SHARE on the
-- partitions of the persistence id, in the nested layout.
do $$
declare
    it jsonb := current_setting('annals.found')::jsonb;
    name text := it ->> 'partition';
    sequence text := coalesce(pg_get_serial_sequence('journal', 'ordering'), 'journal_ordering_seq');
    next bigint;
    reasons text[] := '{}';
begin
    if it ->> 'divided_by' = 'ordering' then
        execute format('select last_value + case when is_called then 1 else 0 end from %s', sequence) into next;
    else
        execute format('select coalesce(max(sequence_number), 0) + 1 from %s', (it ->> 'parent_oid')::oid::regclass) into next;
        if to_regclass('journal_metadata') is not null then
            next := greatest(next, (
                select max_sequence_number + 1 from journal_metadata where persistence_id = it ->> 'persistence_id'));
        end if;
    end if;
    if name ~ '[[:cntrl:]]' then
        reasons := reasons || format('the name of %s holds a control character: rename the table', to_jsonb(name));
    end if;
    if it ->> 'schema_name' is distinct from (select nspname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = 'journal'::regclass) then
        reasons := reasons || format('%s lies in the schema %s and not beside journal: alter table set schema', name, it ->> 'schema_name');
    end if;
    if not (it ->> 'divisible')::boolean then
        reasons := reasons || format('%s holds all events of its persistence ids: only parts of a history leave', name);
    elsif it ->> 'bound' = 'DEFAULT' then
        reasons := reasons || format('%s is the DEFAULT partition of %s: it has no range', name, it ->> 'parent');
    elsif (it ->> 'parent_has_default')::boolean then
        reasons := reasons || format('%s has a DEFAULT partition, beside which PostgreSQL detaches nothing concurrently: move its rows out and detach it', it ->> 'parent');
    elsif (it ->> 'high')::bigint is null or (it ->> 'high')::bigint > next then
        reasons := reasons || format('%s is still written to: the next number is %s, and it ends with %s', name, next, coalesce(((it ->> 'high')::bigint - 1)::text, 'none'));
    end if;
    if not pg_has_role((select relowner from pg_catalog.pg_class where oid = (it ->> 'oid')::oid), 'usage')
        or not pg_has_role((select relowner from pg_catalog.pg_class where oid = (it ->> 'parent_oid')::oid), 'usage') then
        reasons := reasons || format('%s may not alter %s: run this as its owner', current_user, name);
    end if;
    perform set_config('annals.reasons', to_jsonb(reasons)::text, false);
end
$$;
