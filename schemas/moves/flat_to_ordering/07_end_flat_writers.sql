-- Flat to ordering, step 7, days later: once every process was started anew since the switch, the
-- default of journal.ordering has nobody left who needs it. Writers that are still those of the flat
-- layout get an error from here on: Annals then looks at the journal again and goes on, the JVM plugin
-- must be started with PartitionedJournalDao.
--
-- Locks:  ACCESS EXCLUSIVE on journal and its partitions for some milliseconds. Where it cannot be had
--         within lock_timeout this step fails and has changed nothing: run it again.
-- Undo:   alter table journal alter column ordering set default nextval('journal_ordering_seq');
-- Again:  changes nothing.
\set ON_ERROR_STOP on
\set QUIET on
begin;
select set_config('lock_timeout', coalesce(nullif(current_setting('annals.move_lock_timeout', true), ''), '200ms'), true) \g /dev/null
alter table journal alter column ordering drop default;
commit;
