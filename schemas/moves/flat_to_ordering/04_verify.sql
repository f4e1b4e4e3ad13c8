-- Flat to ordering, step 4: is it the same? Compares number and hashes of the events, window by window,
-- and the metadata of every persistence id; then tells the planner what is there.
--
-- Locks:  none that anybody waits for.
-- Undo:   nothing to undo.
-- Again:  goes on where it was ended.
\set ON_ERROR_STOP on
\set QUIET on
select coalesce(nullif(current_setting('annals.move_pause', true), ''), '0') || ' ms' as pause \gset
call journal_move.verify(100000, :'pause');
select journal_move.verify_metadata() \g /dev/null
vacuum (analyze) journal_move.journal, journal_move.journal_metadata;
