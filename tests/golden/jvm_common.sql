-- What every layout of pekko-persistence-postgres 0.8.2 has beside its journal: the tables of its DDL,
-- column for column, and the function of its row trigger. The rows are in the files of the layouts,
-- which come behind this one.
create extension intarray with schema public;

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
    min_ordering        bigint not null,
    max_ordering        bigint not null,
    persistence_id      text   not null,
    primary key (persistence_id)
) partition by hash (persistence_id);
create table public.journal_metadata_0 partition of public.journal_metadata for values with (modulus 2, remainder 0);
create table public.journal_metadata_1 partition of public.journal_metadata for values with (modulus 2, remainder 1);

-- What it does for each row, whoever inserts it. It refuses nothing.
create function public.update_journal_metadata() returns trigger language plpgsql as $$
begin
    insert into public.journal_metadata (persistence_id, max_sequence_number, max_ordering, min_ordering)
    values (
        new.persistence_id, new.sequence_number, new.ordering,
        case when new.sequence_number = 1 then new.ordering else -1 end
    )
    on conflict (persistence_id) do update set
        max_sequence_number = greatest(public.journal_metadata.max_sequence_number, new.sequence_number),
        max_ordering = greatest(public.journal_metadata.max_ordering, new.ordering),
        min_ordering = least(public.journal_metadata.min_ordering, new.ordering);
    return new;
end
$$;
