-- Flat to ordering, step 1: the new journal, empty, and what the move needs. All of it lies in a schema
-- of its own, journal_move, where nobody looks.
--
-- Locks:  none that anybody waits for.
-- Undo:   undo.sql.
-- Again:  does nothing where it is done.
--
-- The sizes come from settings of the session, or else from journal_settings:
--   set annals.partition_size = '10000000'; set annals.partition_prefix = 'j';
\set ON_ERROR_STOP on
\set QUIET on

select current_setting('search_path') as path, to_regclass('journal_move.state') is null as fresh \gset
\if :fresh
begin;
set local client_min_messages = warning;
create schema if not exists journal_move;

-- The tables as a new journal in the layout by ordering has them, from the very same files.
select set_config('search_path', 'journal_move, ' || :'path', true) \g /dev/null
\ir ../../ordering/0001_journal.sql
\ir ../../common/tables.sql
select set_config('search_path', :'path', true) \g /dev/null
drop table journal_move.tags, journal_move.snapshot;
-- The new journal draws from the sequence of the old one, so that no number is given twice.
drop sequence journal_move.journal_ordering_seq;

-- How far the move has come: one row.
create table journal_move.state (
    the_only_row     boolean primary key default true check (the_only_row),
    -- The schema of the journal.
    home             text    not null,
    partition_size   bigint  not null check (partition_size > 0),
    partition_prefix text    not null check (partition_prefix ~ '^[a-z_][a-z0-9_]{0,15}$'),
    -- Whether writers or a trigger keep journal_metadata. Where not, only the events count.
    trusts_metadata  boolean not null,
    -- Every event up to here is in the new journal, as it was when it was copied.
    copied_to        bigint  not null default 0,
    -- Every event up to here was compared, and was the same.
    verified_to      bigint  not null default 0,
    begun_at         timestamptz not null default now(),
    switched_at      timestamptz
);

insert into journal_move.state (home, partition_size, partition_prefix, trusts_metadata)
select
    current_schema(),
    coalesce(nullif(current_setting('annals.partition_size', true), '')::bigint, s.partition_size),
    coalesce(nullif(current_setting('annals.partition_prefix', true), ''), s.partition_prefix),
    s.keeps_metadata or exists (
        select from pg_catalog.pg_trigger t join pg_catalog.pg_proc f on f.oid = t.tgfoid
        where t.tgrelid = 'journal'::regclass and not t.tgisinternal and t.tgenabled <> 'D' and f.prosrc like '%journal_metadata%'
    )
from journal_settings s;

-- Events that were changed or removed while the move goes on; step 2 sees to it that they are noted.
create table journal_move.change (
    id             bigint generated always as identity primary key,
    ordering       bigint not null,
    persistence_id text   not null
);
create index on journal_move.change (ordering);
commit;
\endif

-- The functions are made anew each time, so that a corrected file takes effect. In all of them "journal"
-- is the journal that is in use and "journal_move.journal" the new one.

-- Writers may have no right on the table that this writes to, so it runs as the one who made it.
create or replace function journal_move.note() returns trigger language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'TRUNCATE' then
        raise exception 'the journal is being moved and cannot be truncated'
            using hint = 'finish the move, or give it up: scripts/move-to-ordering --undo';
    elsif tg_op = 'DELETE' then
        insert into journal_move.change (ordering, persistence_id) select ordering, persistence_id from gone;
    else
        insert into journal_move.change (ordering, persistence_id)
        select ordering, persistence_id from gone union select ordering, persistence_id from come;
    end if;
    return null;
end
$$;

create or replace function journal_move.make_partition(number bigint) returns void language plpgsql as $$
declare
    it journal_move.state;
    name text;
begin
    select * into it from journal_move.state;
    name := format('%s_%s', it.partition_prefix, number);
    if to_regclass(format('journal_move.%I', name)) is not null then
        return;
    end if;
    if to_regclass(format('%I.%I', it.home, name)) is not null then
        raise exception 'a partition needs the name %.%, and it is taken: rename that table, or use another prefix', it.home, name;
    end if;
    execute format(
        'create table journal_move.%I partition of journal_move.journal for values from (%s) to (%s)',
        name, number * it.partition_size, (number + 1) * it.partition_size
    );
    execute format(
        'create unique index %I on journal_move.%I (persistence_id, sequence_number)',
        name || '_persistence_sequence_idx', name
    );
end
$$;

-- Brings up to a number of events that were changed behind the copy to what they are now.
create or replace function journal_move.apply_changes(at_most bigint) returns bigint language plpgsql as $$
declare
    it journal_move.state;
    orderings bigint[];
    ids text[];
    wrong bigint;
begin
    select * into it from journal_move.state for update;
    -- A statement of its own: the next ones see at least what the changes that are taken here did.
    with taken as (
        delete from journal_move.change
        where id = any (array(select id from journal_move.change order by id limit at_most))
        returning ordering, persistence_id
    )
    select array_agg(distinct ordering), array_agg(distinct persistence_id) into orderings, ids from taken;
    if orderings is null then
        return 0;
    end if;

    delete from journal_move.journal where ordering = any (orderings);
    insert into journal_move.journal (ordering, sequence_number, deleted, persistence_id, message, tags, metadata)
    select ordering, sequence_number, deleted, persistence_id, message, tags, metadata
    from journal where ordering = any (orderings) and ordering <= it.copied_to;

    with old as (
        select j.* from journal j
        where ordering = any (orderings) and ordering <= it.copied_to
          and not exists (select from journal_move.change c where c.ordering = j.ordering)
    ), new as (
        select j.* from journal_move.journal j
        where ordering = any (orderings)
          and not exists (select from journal_move.change c where c.ordering = j.ordering)
    )
    select coalesce(old.ordering, new.ordering) into wrong from old full join new using (ordering)
    where row(old.sequence_number, old.deleted, old.persistence_id, old.message, old.tags, old.metadata)
        is distinct from row(new.sequence_number, new.deleted, new.persistence_id, new.message, new.tags, new.metadata)
    limit 1;
    if wrong is not null then
        raise exception 'the changed event with the ordering % is not the same in both journals', wrong;
    end if;

    insert into journal_move.journal_metadata as kept (persistence_id, max_sequence_number, max_ordering, min_ordering)
    select persistence_id, max(sequence_number), max(ordering), min(ordering)
    from journal_move.journal where ordering = any (orderings)
    group by persistence_id
    on conflict (persistence_id) do update set
        max_sequence_number = greatest(kept.max_sequence_number, excluded.max_sequence_number),
        max_ordering = greatest(kept.max_ordering, excluded.max_ordering),
        min_ordering = least(kept.min_ordering, excluded.min_ordering);
    -- Where only events count, a history whose end is gone ends earlier.
    if not it.trusts_metadata then
        with newest as (
            select whose, (select max(sequence_number) from journal_move.journal where persistence_id = whose) as number
            from unnest(ids) as whose
        ), gone as (
            delete from journal_move.journal_metadata m using newest where m.persistence_id = whose and number is null
        )
        update journal_move.journal_metadata m set max_sequence_number = number from newest
        where m.persistence_id = whose and number <> m.max_sequence_number;
    end if;
    return cardinality(orderings);
end
$$;

-- Copies the next events, as far as "upto", with their metadata; gives how many they were.
create or replace function journal_move.copy_window(events bigint, upto bigint) returns bigint language plpgsql as $$
declare
    it journal_move.state;
    last bigint;
    copied bigint;
begin
    perform journal_move.apply_changes(10 * events);
    select * into it from journal_move.state for update;
    select max(ordering) into last from (
        select ordering from journal where ordering > it.copied_to and ordering <= upto order by ordering limit events
    ) as next;
    if last is null then
        update journal_move.state set copied_to = greatest(copied_to, upto);
        return 0;
    end if;

    perform journal_move.make_partition(number) from (
        select distinct div(ordering, it.partition_size)::bigint as number
        from journal where ordering > it.copied_to and ordering <= last
    ) as numbers;
    insert into journal_move.journal (ordering, sequence_number, deleted, persistence_id, message, tags, metadata)
    select ordering, sequence_number, deleted, persistence_id, message, tags, metadata
    from journal where ordering > it.copied_to and ordering <= last order by ordering;
    get diagnostics copied = row_count;
    insert into journal_move.journal_metadata as kept (persistence_id, max_sequence_number, max_ordering, min_ordering)
    select persistence_id, max(sequence_number), max(ordering), min(ordering)
    from journal_move.journal where ordering > it.copied_to and ordering <= last
    group by persistence_id
    on conflict (persistence_id) do update set
        max_sequence_number = greatest(kept.max_sequence_number, excluded.max_sequence_number),
        max_ordering = greatest(kept.max_ordering, excluded.max_ordering),
        min_ordering = least(kept.min_ordering, excluded.min_ordering);
    update journal_move.state set copied_to = last;
    return copied;
end
$$;

-- The ordering at or below which no event can appear any more: an event gets its number inside its
-- insert, and whoever inserts holds a lock on the table to its end. So: look what the last event is, then
-- who holds that lock, and wait until those are gone (docs/reading.md).
create or replace procedure journal_move.settle(inout settled bigint) language plpgsql as $$
declare
    holders text[];
    writers constant text := $sql$
        select array_agg(virtualtransaction) from pg_catalog.pg_locks
        where locktype = 'relation' and mode = 'RowExclusiveLock' and granted and relation = 'journal'::regclass
          and database = (select oid from pg_catalog.pg_database where datname = current_database())
          and ($1 is null or virtualtransaction = any ($1)) $sql$;
    told boolean := false;
    begun timestamptz := clock_timestamp();
begin
    select coalesce(max(ordering), 0) into settled from journal;
    execute writers into holders using null::text[];
    commit;
    while holders is not null loop
        if clock_timestamp() > begun + interval '10 s' and not told then
            raise notice 'waiting for a transaction that has written to the journal and is still open (%)', array_to_string(holders, ', ');
            told := true;
        end if;
        perform pg_sleep(0.01);
        execute writers into holders using holders;
        commit;
    end loop;
end
$$;

-- Copies until less than a window is left; a transaction a window.
create or replace procedure journal_move.copy(events bigint, pause interval) language plpgsql as $$
declare
    settled bigint;
    copied bigint;
    round bigint;
    total bigint := 0;
    begun timestamptz := clock_timestamp();
    tell_at timestamptz := clock_timestamp() + interval '2 s';
begin
    loop
        call journal_move.settle(settled);
        round := 0;
        loop
            copied := journal_move.copy_window(events, settled);
            commit;
            round := round + copied;
            exit when copied < events;
            if clock_timestamp() > tell_at then
                raise notice 'copied up to ordering % of %, % events/s',
                    (select copied_to from journal_move.state), settled,
                    round((total + round) / extract(epoch from clock_timestamp() - begun));
                tell_at := clock_timestamp() + interval '2 s';
            end if;
            perform pg_sleep(extract(epoch from pause));
        end loop;
        total := total + round;
        exit when round < events and (select count(*) from (select from journal_move.change limit events) as c) < events;
    end loop;
end
$$;

-- Compares the events from one ordering to another in one snapshot, but for those that are noted as
-- changed: number of rows, and sum of the hashes of rows.
create or replace function journal_move.compare(above bigint, upto bigint) returns void language plpgsql as $$
declare
    old_events bigint;
    old_hash numeric;
    new_events bigint;
    new_hash numeric;
begin
    select o.events, o.hash, n.events, n.hash into old_events, old_hash, new_events, new_hash from (
        select count(*) as events,
            sum(hash_record_extended(row(ordering, sequence_number, deleted, persistence_id, message, tags, metadata), 0)::numeric) as hash
        from journal j where ordering > above and ordering <= upto
          and not exists (select from journal_move.change c where c.ordering = j.ordering)
    ) as o, (
        select count(*) as events,
            sum(hash_record_extended(row(ordering, sequence_number, deleted, persistence_id, message, tags, metadata), 0)::numeric) as hash
        from journal_move.journal j where ordering > above and ordering <= upto
          and not exists (select from journal_move.change c where c.ordering = j.ordering)
    ) as n;
    if row(old_events, old_hash) is distinct from row(new_events, new_hash) then
        raise exception 'the journals differ above ordering % up to %: % events with the sum %, and % with the sum % in the new one',
            above, upto, old_events, old_hash, new_events, new_hash
            using hint = 'give the move up (scripts/move-to-ordering --undo) and find out what writes past the triggers';
    end if;
end
$$;

create or replace procedure journal_move.verify(events bigint, pause interval) language plpgsql as $$
declare
    it journal_move.state;
    last bigint;
    total bigint := 0;
    tell_at timestamptz := clock_timestamp() + interval '2 s';
begin
    loop
        select * into it from journal_move.state;
        exit when it.verified_to >= it.copied_to;
        select ordering into last from journal where ordering > it.verified_to and ordering <= it.copied_to
        order by ordering offset events limit 1;
        last := coalesce(last, it.copied_to);
        perform journal_move.compare(it.verified_to, last);
        update journal_move.state set verified_to = last;
        commit;
        if clock_timestamp() > tell_at then
            raise notice 'compared up to ordering % of %', last, it.copied_to;
            tell_at := clock_timestamp() + interval '2 s';
        end if;
        perform pg_sleep(extract(epoch from pause));
    end loop;
end
$$;

-- Every persistence id of the new journal has its row, and the row does not fall short of its events.
create or replace function journal_move.verify_metadata() returns void language plpgsql as $$
declare
    wrong text;
begin
    select j.persistence_id into wrong
    from (
        select persistence_id, max(sequence_number) as newest, min(ordering) as lowest, max(ordering) as highest
        from journal_move.journal group by persistence_id
    ) as j
    left join journal_move.journal_metadata m using (persistence_id)
    where (m.persistence_id is null or m.max_sequence_number < j.newest or m.min_ordering > j.lowest or m.max_ordering < j.highest)
      and not exists (select from journal_move.change c where c.persistence_id = j.persistence_id)
    limit 1;
    if wrong is not null then
        raise exception 'the metadata of % falls short of its events', wrong;
    end if;
end
$$;
