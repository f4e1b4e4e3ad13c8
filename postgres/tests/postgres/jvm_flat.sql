-- A flat database as the JVM plugin's users have it: its own DDL, with everything that varies in
-- the field at once: the row trigger, max_ordering before min_ordering, ten hash partitions.
create table public.journal (
    ordering        bigserial,
    sequence_number bigint                not null,
    deleted         boolean default false not null,
    persistence_id  text                  not null,
    message         bytea                 not null,
    tags            int[],
    metadata        jsonb                 not null,
    primary key (persistence_id, sequence_number)
);
create extension intarray with schema public;
create index journal_tags_idx on public.journal using gin (tags public.gin__int_ops);
create index journal_ordering_idx on public.journal using brin (ordering);
create table public.tags (id bigserial, name text not null, primary key (id));
create unique index tags_name_idx on public.tags (name);
create table public.snapshot (
    persistence_id  text   not null,
    sequence_number bigint not null,
    created         bigint not null,
    snapshot        bytea  not null,
    metadata        jsonb  not null,
    primary key (persistence_id, sequence_number)
);
create table public.journal_metadata (
    id                  bigint generated always as identity,
    max_sequence_number bigint not null,
    max_ordering        bigint not null,
    min_ordering        bigint not null,
    persistence_id      text   not null,
    primary key (persistence_id)
) partition by hash (persistence_id);
do $$
begin
    for i in 0..9 loop
        execute format('create table public.journal_metadata_%s partition of public.journal_metadata
                        for values with (modulus 10, remainder %s)', i, i);
    end loop;
end
$$;
create function public.update_journal_metadata() returns trigger language plpgsql as $$
begin
    insert into public.journal_metadata (persistence_id, max_sequence_number, max_ordering, min_ordering)
    values (new.persistence_id, new.sequence_number, new.ordering,
            case when new.sequence_number = 1 then new.ordering else -1 end)
    on conflict (persistence_id) do update set
        max_sequence_number = greatest(public.journal_metadata.max_sequence_number, new.sequence_number),
        max_ordering = greatest(public.journal_metadata.max_ordering, new.ordering),
        min_ordering = least(public.journal_metadata.min_ordering, new.ordering);
    return new;
end;
$$;
create trigger trig_update_journal_metadata after insert on public.journal
    for each row execute procedure public.update_journal_metadata();

insert into public.tags (name) values ('vip'), ('late');
insert into public.journal (sequence_number, persistence_id, message, tags, metadata)
select s, 'Account|' || p, decode('cafe', 'hex'), array[1],
       '{"serId": 33, "serManifest": "Deposited", "uuid": "1c0e7fd6-6a52-4a01-b0b2-2d0b6c1d4b57"}'
from generate_series(1, 3) p, generate_series(1, 5) s;
insert into public.snapshot values ('Account|1', 4, 1700000000000, decode('beef', 'hex'), '{"serId": 4}');
