-- Whether a manifest is that of a partition of this server: a reason each in annals.reasons where it is not.
-- look.sql and server.sql come before this file.
--
-- Reads: annals.found, annals.server, annals.manifest, annals.archive_sha256. Sets: annals.reasons.
do $$
declare
    it jsonb := current_setting('annals.found')::jsonb;
    manifest jsonb := current_setting('annals.manifest')::jsonb;
    server jsonb := current_setting('annals.server')::jsonb;
    name text := it ->> 'partition';
    reasons text[] := '{}';
    key text;
begin
    foreach key in array array['id', 'database', 'schema'] loop
        if manifest -> 'server' -> key is distinct from server -> key then
            reasons := reasons || format('%s: its archive comes from another %s: %s, and this is %s', name,
                case key when 'id' then 'server' else key end, manifest -> 'server' ->> key, server ->> key);
        end if;
    end loop;
    foreach key in array array['partition', 'divided_by', 'bound'] loop
        if manifest ->> key is distinct from it ->> key then
            reasons := reasons || format('%s: the manifest is that of another partition: its %s is %s, and here %s', name, key, manifest ->> key, it ->> key);
        end if;
    end loop;
    if it -> 'life' ->> 'archive_sha256' is distinct from current_setting('annals.archive_sha256') then
        reasons := reasons || format('%s: the dump is not the one that was noted: its SHA-256 is %s, and %s was noted', name,
            current_setting('annals.archive_sha256'), coalesce(it -> 'life' ->> 'archive_sha256', 'none'));
    end if;
    perform set_config('annals.reasons', to_jsonb(reasons)::text, false);
end
$$;
