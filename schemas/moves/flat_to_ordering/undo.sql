-- Flat to ordering, given up before the switch: the journal is as if nothing had begun.
--
-- Locks:  ACCESS EXCLUSIVE on journal for some milliseconds, to drop the triggers of step 2. Where it
--         cannot be had within lock_timeout this fails and has changed nothing: run it again.
-- Undo:   begin the move again.
-- Again:  does nothing where it is done. After the switch it refuses.
\set ON_ERROR_STOP on
\set QUIET on
set client_min_messages = warning;
begin;
do $$
declare
    other text;
begin
    if to_regclass('journal_move.state') is not null then
        execute 'select home from journal_move.state where home is distinct from current_schema()' into other;
        if other is not null then
            raise exception 'what is there is the move of the journal in the schema %: set search_path', other;
        end if;
    end if;
end
$$;
select set_config('lock_timeout', coalesce(nullif(current_setting('annals.move_lock_timeout', true), ''), '200ms'), true) \g /dev/null
do $$
begin
    if exists (select from pg_catalog.pg_partitioned_table where partrelid = 'journal'::regclass) then
        raise exception 'the journal has been switched: see docs/moving.md, "Back"';
    end if;
end
$$;
drop trigger if exists journal_move_note_update on journal;
drop trigger if exists journal_move_note_delete on journal;
drop trigger if exists journal_move_refuse_truncate on journal;
drop schema if exists journal_move cascade;
commit;
