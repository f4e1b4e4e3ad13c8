-- Which server, database and schema this is, as JSON in annals.server. The identifier of a server changes with
-- initdb and with pg_upgrade. Where the role may not ask for it, the database stands for it.
--
-- Sets: annals.server.
do $$
declare
    identifier text;
begin
    if has_function_privilege('pg_catalog.pg_control_system()', 'execute') then
        select system_identifier::text into identifier from pg_control_system();
    end if;
    perform set_config('annals.server', jsonb_build_object(
        'id', coalesce(identifier, 'database ' || d.oid),
        'version', current_setting('server_version'),
        'major', current_setting('server_version_num')::int / 10000,
        'database', d.datname,
        'schema', n.nspname
    )::text, false)
    from pg_catalog.pg_database d, pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where d.datname = current_database() and c.oid = to_regclass('journal');
end
$$;
