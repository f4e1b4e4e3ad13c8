-- Flat to ordering, step 3: the events, window by window, each a transaction. Ends when less than a
-- window is left; what comes later is copied by the switch.
--
-- Locks:  none that anybody waits for. It costs the server reads, writes and WAL: the size of the
--         journal and its indexes once more. The settings of the session say how hard it works:
--           set annals.move_window = '10000';   -- events a transaction
--           set annals.move_pause = '0';        -- milliseconds between two of them
-- Undo:   undo.sql.
-- Again:  goes on where it was ended, by whatever.
\set ON_ERROR_STOP on
\set QUIET on
select coalesce(nullif(current_setting('annals.move_window', true), ''), '10000') as events,
    coalesce(nullif(current_setting('annals.move_pause', true), ''), '0') || ' ms' as pause \gset
-- The rows and how far they go are one transaction: what a crash takes, it takes of both.
set synchronous_commit = off;
set plan_cache_mode = force_custom_plan;
call journal_move.copy(:events, :'pause');
