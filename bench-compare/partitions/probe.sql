-- What the probes know of a database beside its journal. They fill `append`, the statement by which a writer of
-- theirs adds event number $1 of its own.
create schema probe;
create table probe.append (statement text not null);
create table probe.writer (stop boolean not null, longest interval not null default '0', appended int not null default 0);

-- The strongest lock on the journal, or a part of it that is divided itself, at the end of each ALTER TABLE:
-- pg_locks alone would have to be read at the right moment.
create table probe.locks (at timestamptz not null default clock_timestamp(), mode text not null);

create function probe.note_locks() returns event_trigger language plpgsql as $$
begin
    insert into probe.locks (mode)
    select mode
    from pg_catalog.pg_locks l
    join pg_catalog.pg_class c on c.oid = l.relation and c.relkind = 'p' and c.relname ~ '^j'
    where l.pid = pg_backend_pid() and mode in ('AccessExclusiveLock', 'ShareUpdateExclusiveLock')
    order by mode limit 1;
end
$$;

create event trigger note_locks on ddl_command_end when tag in ('ALTER TABLE') execute function probe.note_locks();

-- Appends until it is told to stop, and remembers the longest time that one took.
create procedure probe.write() language plpgsql as $$
declare
    append text := (select statement from probe.append);
    begun timestamptz;
    most interval := '0';
    number int := 0;
begin
    delete from probe.writer;
    insert into probe.writer values (false);
    commit;
    loop
        number := number + 1;
        begun := clock_timestamp();
        execute append using number;
        commit;
        most := greatest(most, clock_timestamp() - begun);
        update probe.writer set appended = number;
        commit;
        perform pg_sleep(0.005);
        exit when (select stop from probe.writer);
    end loop;
    update probe.writer set longest = most;
end
$$;
