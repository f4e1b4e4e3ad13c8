-- Flat to ordering, step 2: from here on every change behind the copy is noted. Inserts are not: they
-- cost what they did.
--
-- Locks:  SHARE ROW EXCLUSIVE on journal for some milliseconds: it waits for the writes that are open,
--         and new ones wait behind it. Where it cannot be had within lock_timeout this step fails and has
--         done nothing: run it again.
-- Undo:   undo.sql.
-- Again:  does nothing where it is done.
\set ON_ERROR_STOP on
\set QUIET on
select not exists (
    select from pg_catalog.pg_trigger where tgrelid = 'journal'::regclass and tgname = 'journal_move_note_update'
) as fresh \gset
\if :fresh
begin;
select set_config('lock_timeout', coalesce(nullif(current_setting('annals.move_lock_timeout', true), ''), '200ms'), true) \g /dev/null
lock table journal in share row exclusive mode;
create trigger journal_move_note_update after update on journal
    referencing old table as gone new table as come for each statement execute function journal_move.note();
create trigger journal_move_note_delete after delete on journal
    referencing old table as gone for each statement execute function journal_move.note();
create trigger journal_move_refuse_truncate before truncate on journal
    for each statement execute function journal_move.note();
-- Also for sessions that replay what a replica sends.
alter table journal enable always trigger journal_move_note_update;
alter table journal enable always trigger journal_move_note_delete;
commit;
\endif
