-- What a table with the columns of an event holds: rows, ends, and a checksum over all columns of all rows,
-- as JSON in annals.content. One pass, in constant memory.
--
-- The checksum is the sum, in two halves of 64 bits, of the SHA-256 of each row, so that the order of rows
-- is of no matter. A row is its columns in the order of their names, each with its length in front, the
-- bytes last; nothing in it depends on the version of the server or on the place of a column.
--
-- Reads: annals.relation, the oid of the table. Sets: annals.content. Locks: ACCESS SHARE on the table.
set datestyle = 'ISO';
set timezone = 'UTC';
set intervalstyle = 'postgres';
set extra_float_digits = 1;
do $$
declare
    relation regclass := current_setting('annals.relation')::oid::regclass;
    texts text;
    bytes text;
    content jsonb;
begin
    with columns as (
        select attname, format_type(atttypid, atttypmod) as type,
            case
                when atttypid = 'bytea'::regtype then format('%I', attname)
                when atttypid = 'int4[]'::regtype then format('array_to_string(%I, '','', ''null'')', attname)
                else format('%I::text', attname)
            end as value
        from pg_catalog.pg_attribute
        where attrelid = relation and attnum > 0 and not attisdropped and attgenerated = ''
    )
    select
        string_agg(format('coalesce(%L || octet_length(%s) || '':'' || %2$s, %L)', attname || '=', value, attname || '-'),
            ' || ' order by attname collate "C") filter (where type <> 'bytea'),
        string_agg(format('coalesce(convert_to(%L || octet_length(%s) || '':'', ''UTF8'') || %2$s, convert_to(%L, ''UTF8''))',
            attname || '=', value, attname || '-'), ' || ' order by attname collate "C") filter (where type = 'bytea')
    into texts, bytes from columns;
    execute format($sql$
        select jsonb_build_object(
            'rows', count(*), 'first_ordering', min(ordering), 'last_ordering', max(ordering),
            'first_sequence_number', min(sequence_number), 'last_sequence_number', max(sequence_number),
            'last_write', max(written),
            'checksum', format('sha256-sum:%%s:%%s:%%s', count(*),
                mod(coalesce(sum(('x' || encode(substring(hash from 1 for 8), 'hex'))::bit(64)::bigint), 0) + 9223372036854775808::numeric * count(*), 18446744073709551616),
                mod(coalesce(sum(('x' || encode(substring(hash from 9 for 8), 'hex'))::bit(64)::bigint), 0) + 9223372036854775808::numeric * count(*), 18446744073709551616)))
        from (
            select ordering, sequence_number,
                case when coalesce(metadata ->> 't', metadata ->> 'timestamp') ~ '^\d{1,18}$'
                    then coalesce(metadata ->> 't', metadata ->> 'timestamp')::bigint end as written,
                sha256(convert_to(%s, 'UTF8') || %s) as hash
            from %s offset 0
        ) as hashed
    $sql$, texts, bytes, relation) into content;
    perform set_config('annals.content', content::text, false);
end
$$;
