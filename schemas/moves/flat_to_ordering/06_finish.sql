-- Flat to ordering, step 6: takes away what the move needed. journal_flat_old and
-- journal_metadata_flat_old stay; drop them once you have a backup of the new journal.
--
-- Locks:  ACCESS EXCLUSIVE on journal_flat_old, which nobody uses, for some milliseconds.
-- Undo:   none needed.
-- Again:  does nothing where it is done.
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
drop trigger if exists journal_move_note_update on journal_flat_old;
drop trigger if exists journal_move_note_delete on journal_flat_old;
drop trigger if exists journal_move_refuse_truncate on journal_flat_old;
drop schema if exists journal_move cascade;
commit;
