-- Flat to ordering, step 5: the new journal takes the place of the old one, which stays as
-- journal_flat_old.
--
-- Locks:  ACCESS EXCLUSIVE on journal and journal_metadata: readers and writers wait while the last
--         events are copied and compared and the tables get their names, some tenths of a second; they
--         need not be stopped or started. Where the lock cannot be had within lock_timeout this step
--         fails and has changed nothing: run it again.
-- Undo:   see docs/moving.md, "Back". The old table holds every event up to the switch.
-- Again:  fails, for there is no flat journal any more; go on with step 6.
--
-- Needs two variables of psql: the SHA-256 of the files that the new journal was made by,
--   psql -v journal_sha256=$(sha256sum < schemas/ordering/0001_journal.sql | cut -c 1-64) \
--        -v tables_sha256=$(sha256sum < schemas/common/tables.sql | cut -c 1-64) -f 05_switch.sql
\set ON_ERROR_STOP on
\set QUIET on
select coalesce(nullif(current_setting('annals.move_window', true), ''), '10000') as events,
    coalesce(nullif(current_setting('annals.move_lock_timeout', true), ''), '200ms') as lock_timeout,
    coalesce(nullif(current_setting('annals.move_partitions_ahead', true), ''), '2') as ahead \gset

-- Close behind the writers, so that little is left for the time of the lock.
call journal_move.copy(:events, '0');
call journal_move.verify(100000, '0');

-- The numbers that writers or a trigger have kept so far count too: they survive deletes.
insert into journal_move.journal_metadata as kept (persistence_id, max_sequence_number, max_ordering, min_ordering)
select persistence_id, max_sequence_number, max_ordering, min_ordering from journal_metadata
where (select trusts_metadata from journal_move.state)
order by persistence_id
on conflict (persistence_id) do update set max_sequence_number = excluded.max_sequence_number
where kept.max_sequence_number < excluded.max_sequence_number;

select journal_move.make_partition(number)
from journal_move.state s, journal_ordering_seq q,
    generate_series(div(q.last_value, s.partition_size)::bigint, div(q.last_value, s.partition_size)::bigint + :ahead) as number
\g /dev/null

begin;
select set_config('lock_timeout', :'lock_timeout', true), set_config('annals.move_window', :'events', true) \g /dev/null
-- The lock of those who migrate the schema.
select pg_advisory_xact_lock(107126926175347) \g /dev/null
lock table journal, journal_metadata in access exclusive mode;

-- The last events.
do $$
declare
    it journal_move.state;
    most constant bigint := 10 * current_setting('annals.move_window')::bigint;
    name record;
begin
    select * into it from journal_move.state for update;
    if it.switched_at is not null then
        raise exception 'the journal has been switched already, at %', it.switched_at;
    end if;
    if (select count(*) from (select from journal where ordering > it.copied_to limit most) as rest) = most
        or (select count(*) from (select from journal_move.change limit most) as rest) = most
    then
        raise exception 'too much is left for the time of the lock' using errcode = 'lock_not_available';
    end if;
    while journal_move.apply_changes(most) > 0 loop end loop;
    while journal_move.copy_window(most, 9223372036854775807) > 0 loop end loop;
    perform journal_move.compare(it.verified_to, 9223372036854775807);

    -- The old tables step aside, with their indexes and partitions; their triggers go with them.
    for name in
        select c.relkind, c.relname from pg_catalog.pg_class c
        where c.relnamespace = to_regnamespace(quote_ident(it.home)) and c.relname like 'journal%'
          and (
            c.oid = 'journal'::regclass
            or c.oid in (select indexrelid from pg_catalog.pg_index where indrelid = 'journal'::regclass)
            or c.oid in (select relid from pg_catalog.pg_partition_tree('journal_metadata'))
            or c.oid in (
                select indexrelid from pg_catalog.pg_index
                where indrelid in (select relid from pg_catalog.pg_partition_tree('journal_metadata'))
            )
            or c.relkind = 'S' and c.oid in (
                select objid from pg_catalog.pg_depend
                where classid = 'pg_class'::regclass and refobjid = 'journal_metadata'::regclass and deptype in ('a', 'i')
            )
          )
    loop
        execute format(
            'alter %s %I rename to %I',
            case when name.relkind in ('i', 'I') then 'index' when name.relkind = 'S' then 'sequence' else 'table' end,
            name.relname,
            regexp_replace(name.relname, '^(journal_metadata|journal)', '\1_flat_old')
        );
    end loop;
end
$$;

-- The new ones come in, owned and granted as the old ones. The default of ordering lets writers of the
-- flat layout go on until they are started anew; step 7 ends that.
do $$
declare
    it journal_move.state;
    pair record;
    part regclass;
    gift record;
begin
    select * into it from journal_move.state for update;
    for pair in
        select * from (values ('journal', 'journal_flat_old'), ('journal_metadata', 'journal_metadata_flat_old')) as p (name, old)
    loop
        for part in select relid from pg_catalog.pg_partition_tree(format('journal_move.%I', pair.name)::regclass) loop
            execute format('alter table %s set schema %I', part, it.home);
            execute format('alter table %s owner to %s', part, (select relowner::regrole from pg_catalog.pg_class where oid = pair.old::regclass));
        end loop;
        for gift in
            select a.privilege_type as what, a.grantee, a.is_grantable
            from pg_catalog.pg_class c, aclexplode(c.relacl) as a
            where c.oid = pair.old::regclass and a.grantee <> c.relowner
        loop
            execute format(
                'grant %s on %I to %s%s', gift.what, pair.name,
                case gift.grantee when 0 then 'public' else gift.grantee::regrole::text end,
                case when gift.is_grantable then ' with grant option' else '' end
            );
        end loop;
    end loop;
    alter table journal_flat_old alter column ordering drop default;
    alter sequence journal_ordering_seq owned by journal.ordering;
    alter table journal alter column ordering set default nextval('journal_ordering_seq');

    update journal_settings set
        partition_size = it.partition_size, partition_prefix = it.partition_prefix,
        keeps_metadata = true, metadata_complete = true;
    update journal_move.state set switched_at = clock_timestamp();
end
$$;

-- The trigger that keeps the metadata for writers that do not.
set local client_min_messages = warning;
\ir ../../common/journal_settings.sql

-- The files by which a journal in the layout by ordering is made; the others are the same in both.
delete from annals_schema where version in (1, 2);
insert into annals_schema (version, name, checksum)
values (1, 'journal', :'journal_sha256'), (2, 'tables', :'tables_sha256');
commit;
