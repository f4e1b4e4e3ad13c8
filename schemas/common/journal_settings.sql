-- How this journal is divided and who keeps its metadata: one row, which every process that writes
-- reads when it starts.
--
-- The values of a new journal come from settings of the session that runs this file, by hand:
--   set annals.partition_size = '10000000'; set annals.partition_prefix = 'j'; set annals.keeps_metadata = 'on';
-- A journal that is there already keeps the size and the prefix of its partitions.
create table if not exists journal_settings (
    the_only_row      boolean primary key default true check (the_only_row),
    -- Orderings a partition (layout by ordering), or sequence numbers a partition (nested). A change
    -- holds for partitions that are made from then on; the JVM plugin must be told the same number.
    partition_size    bigint  not null check (partition_size > 0),
    -- What the names of partitions begin with.
    partition_prefix  text    not null check (partition_prefix ~ '^[a-z_][a-z0-9_]{0,15}$'),
    -- Whether writers keep journal_metadata. The layout by ordering cannot do without.
    keeps_metadata    boolean not null,
    -- Whether every persistence id that has events has its row in journal_metadata. Where that is not
    -- sure, writers look into the journal before the first event of an id that has no row.
    metadata_complete boolean not null
);

-- Partitions that are there are of some size and have some prefix, and those to come get the same: the
-- JVM plugin makes the next one by its number, and it must be the one that is there. The number at the
-- end of a name tells whether a partition is one of that grid; what stands before it is the prefix, and
-- in the nested layout the persistence id behind it, as the plugin writes it in names.
with recursive journal_tree as (
    select 'journal'::regclass::oid as oid, null::name as parent, null::text collate "C" as bound
    union all
    select i.inhrelid, p.relname, pg_get_expr(p.relpartbound, p.oid)
    from pg_catalog.pg_inherits i join journal_tree t on i.inhparent = t.oid
    join pg_catalog.pg_class p on p.oid = t.oid
), ranges as (
    select
        regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \(''(\d+)''\) TO \(''(\d+)''\)$')::bigint[] as edges,
        regexp_match(c.relname, '^(.+)_(\d{1,18})$') as name,
        t.parent,
        lower(regexp_replace(
            replace(substring(t.bound from '^FOR VALUES IN \(''(.*)''\)$'), '''''', ''''), '[^A-Za-z0-9_]', '_', 'g'
        )) as id
    from journal_tree t join pg_catalog.pg_class c on c.oid = t.oid
    where c.relispartition and c.relkind = 'r'
), numbered as (
    select
        edges[2] - edges[1] as size, edges[1] as lowest,
        case
            when id is null then name[1]
            when parent like '%\_' || replace(id, '_', '\_') then left(parent, - length(id) - 1)
        end as prefix
    from ranges where edges is not null and name[2]::bigint * (edges[2] - edges[1]) = edges[1]
), there as (
    select
        (select size from numbered order by lowest desc limit 1) as size,
        (select prefix from numbered where prefix ~ '^[a-z_][a-z0-9_]{0,15}$' order by lowest desc limit 1) as prefix
), described as (
    select
        p.partstrat = 'r' as by_ordering,
        exists (select from journal) as has_events
    from (values ('journal'::regclass)) as j (oid)
    left join pg_catalog.pg_partitioned_table p on p.partrelid = j.oid
)
insert into journal_settings (partition_size, partition_prefix, keeps_metadata, metadata_complete)
select
    coalesce(there.size, nullif(current_setting('annals.partition_size', true), '')::bigint, 10000000),
    coalesce(there.prefix, nullif(current_setting('annals.partition_prefix', true), ''), 'j'),
    coalesce(described.by_ordering, false)
        or coalesce(nullif(current_setting('annals.keeps_metadata', true), '')::boolean, false),
    not described.has_events
from there, described
on conflict do nothing;

-- Keeps journal_metadata for writers who do not do it themselves: the JVM plugin, and ops at a prompt.
-- Annals does it once a statement and says so with the setting annals.writer, so that nothing is kept
-- twice. A trigger that is there already stays as it is.
--
-- Unlike the one of the plugin it refuses a number that is not above the highest: with that the layout
-- by ordering has one writer a persistence id, whoever writes. A new partition gets it by itself.
--
-- It fires in sessions that replicate or restore, too, so that readers may rely on metadata that is there:
-- no event lies behind it. There it makes no new row, which comes by the same way as the event.
do $$
begin
    if (select keeps_metadata from journal_settings)
        and not exists (
            select from pg_catalog.pg_trigger t join pg_catalog.pg_proc f on f.oid = t.tgfoid
            where t.tgrelid = 'journal'::regclass and not t.tgisinternal and f.prosrc like '%journal_metadata%')
    then
        create or replace function keep_journal_metadata() returns trigger language plpgsql
            set search_path from current
        as $body$
        begin
            if current_setting('session_replication_role') = 'replica' then
                update journal_metadata as kept set
                    max_sequence_number = greatest(kept.max_sequence_number, new.sequence_number),
                    max_ordering = greatest(kept.max_ordering, new.ordering),
                    min_ordering = least(kept.min_ordering, new.ordering)
                where kept.persistence_id = new.persistence_id;
                return null;
            end if;
            insert into journal_metadata as kept (persistence_id, max_sequence_number, max_ordering, min_ordering)
            values (
                new.persistence_id, new.sequence_number, new.ordering,
                case when new.sequence_number = 1 then new.ordering else -1 end
            )
            on conflict (persistence_id) do update set
                max_sequence_number = excluded.max_sequence_number,
                max_ordering = greatest(kept.max_ordering, new.ordering),
                min_ordering = least(kept.min_ordering, new.ordering)
            where kept.max_sequence_number < excluded.max_sequence_number;
            if not found then
                raise exception 'the sequence number % of % is not above the highest', new.sequence_number, new.persistence_id
                    using errcode = 'unique_violation', constraint = 'journal_metadata_one_writer', table = 'journal';
            end if;
            return null;
        end
        $body$;
        create trigger trig_keep_journal_metadata after insert on journal
            for each row when (current_setting('annals.writer', true) is distinct from 'on')
            execute function keep_journal_metadata();
        alter table journal enable always trigger trig_keep_journal_metadata;
    end if;
end
$$;
