-- What has to be known about an archive besides its bytes: annals.key, the name of its files, and
-- annals.manifest, all of the manifest but the dump itself. look.sql, server.sql and content.sql come before
-- this file.
--
-- Equal contents of the same partition of the same server have the same key, so that an archive that was
-- interrupted is found again, and no archive overwrites another one.
--
-- Sets: annals.key, annals.manifest. Locks: ACCESS SHARE on the partition.
do $$
declare
    it jsonb := current_setting('annals.found')::jsonb;
    content jsonb := current_setting('annals.content')::jsonb;
    server jsonb := current_setting('annals.server')::jsonb;
    manifest jsonb;
    used jsonb;
    version int;
begin
    execute format($sql$
        select coalesce(jsonb_object_agg(id::text, name), '{}') from (
            select distinct unnest(tags) as id from %s
        ) as used left join tags using (id)
    $sql$, (it ->> 'oid')::oid::regclass) into used;
    if to_regclass('annals_schema') is not null then
        select max(a.version) into version from annals_schema a;
    end if;
    manifest := jsonb_build_object(
        'format', 1,
        'partition', it -> 'partition', 'divided_by', it -> 'divided_by',
        'parent', it -> 'parent', 'bound', it -> 'bound', 'parent_bound', it -> 'parent_bound',
        'low', it -> 'low', 'high', it -> 'high', 'persistence_id', it -> 'persistence_id',
        'content', content, 'tags', used, 'schema_version', version, 'server', server,
        'columns', (
            select jsonb_agg(jsonb_build_object('name', attname, 'type', format_type(atttypid, atttypmod)) order by attnum)
            from pg_catalog.pg_attribute
            where attrelid = (it ->> 'oid')::oid and attnum > 0 and not attisdropped and attgenerated = ''
        ));
    perform set_config('annals.manifest', manifest::text, false);
    perform set_config('annals.key', left(regexp_replace(it ->> 'partition', '[^A-Za-z0-9_]', '_', 'g'), 63) || '-' || left(encode(sha256(convert_to(
        (manifest - 'schema_version' - 'tags' - 'columns' #- '{server,version}' #- '{server,major}')::text, 'UTF8')), 'hex'), 12), false);
end
$$;
