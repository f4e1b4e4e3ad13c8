-- Deletion marks: up to which event a persistence id has been deleted. A delete moves the mark and
-- rewrites no event; the rows below it are removed afterwards, a few at a time.
--
-- The row of the highest sequence number is never removed: below a mark it stays, with
-- journal.deleted set, so that max(sequence_number) is what it was, here and on the JVM.
--
-- Where the roles that run the program own nothing, grant them select, insert and update on this
-- table, and delete on journal. A role that only queries needs select on this table.
create table if not exists journal_deletion (
    persistence_id text   primary key,
    -- The last deleted event. Nobody reads events up to here, whether or not their rows are gone, and
    -- nobody can write there.
    deleted_to     bigint not null,
    -- The rows up to here are gone, but for the one that keeps the highest sequence number.
    erased_to      bigint not null default 0,
    -- The ordering of event 1, once its row is gone: new persistence ids are found by it.
    first_ordering bigint
);

-- What is still to be removed; readers across persistence ids ask whether that is anything. They ask
-- in this order, which no other index has: the planner believes that every third mark is pending, and
-- would look for the first one in the table.
create index if not exists journal_deletion_pending_idx on journal_deletion (deleted_to)
    where erased_to < deleted_to;

create index if not exists journal_deletion_first_ordering_idx on journal_deletion (first_ordering)
    where first_ordering is not null;

-- Whether one of these events is at or below the deletion mark of its persistence id, and must not be
-- written: number by number, each with the persistence id in its place. A function, so that writers pay
-- for its plan only once there are marks.
create or replace function journal_writes_deleted(sequence_numbers bigint[], persistence_ids text[])
    returns boolean language plpgsql stable
as $$
begin
    return exists (
        select from (
            select id, min(number) as first
            from unnest(sequence_numbers, persistence_ids) as event (number, id)
            group by id
        ) as written
        where first <= (select deleted_to from journal_deletion where persistence_id = id)
    );
end
$$;
