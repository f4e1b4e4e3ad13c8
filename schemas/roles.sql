-- Four roles with the least privileges that their work needs. To be run by a superuser, or by the owner of the
-- database where he may create roles; again after each migration, which may have added a table: what is granted
-- here is taken away first, so that the file says all there is.
--
--   owner   owns the tables; migrates, and makes partitions ahead. Nobody logs in as it unless you let them
--   writer  stores and deletes events, snapshots and states; makes no table
--   reader  queries, and runs projections; changes no event. Grant it what the tables of your own read side need
--   ops     takes partitions through their life (scripts/partitions), and looks at the server. It acts as the
--           owner from the moment it logs in, since PostgreSQL lets nobody else detach a partition
--
-- By hand: psql -v ON_ERROR_STOP=1 -1 -f schemas/roles.sql "$DATABASE_URL"
-- Other names: -v owner=… -v writer=… -v reader=… -v ops=…, and -v schema=… for another schema than the one in
-- which search_path finds the journal. They get no password: psql's \password does that.
--
-- A program that writes to a journal with partitions makes them ahead only as their owner. Where it logs in as
-- the writer, let another process of it, which need not write, be open as the owner (docs/operations.md).

\if :{?owner}
\else
    \set owner annals_owner
\endif
\if :{?writer}
\else
    \set writer annals_writer
\endif
\if :{?reader}
\else
    \set reader annals_reader
\endif
\if :{?ops}
\else
    \set ops annals_ops
\endif
\if :{?schema}
\else
    select n.nspname as schema from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = 'journal'::regclass \gset
\endif
set client_min_messages = warning;

select format('create role %I %s', name, login)
from (values (:'owner', 'nologin'), (:'writer', 'login'), (:'reader', 'login'), (:'ops', 'login')) as role (name, login)
where not exists (select from pg_catalog.pg_roles where rolname = name) \gexec

-- What ops makes, a restored partition for one, belongs to the owner. partition_life keeps who it was.
grant :"owner" to :"ops";
select format('alter role %I in database %I set role = %I', :'ops', current_database(), :'owner') \gexec

-- The text of the statements of others is for those who watch; only some may grant that.
select format('grant pg_read_all_stats to %I', :'ops')
where pg_has_role('pg_read_all_stats', 'member with admin option')
    or (select rolsuper from pg_catalog.pg_roles where rolname = current_user) \gexec

-- On PostgreSQL 14 and in databases that come from there, everybody may make tables.
revoke create on schema :"schema" from public;
grant usage on schema :"schema" to :"owner", :"writer", :"reader";
grant create on schema :"schema" to :"owner";

-- Everything that belongs to a journal; partitions too, those that left it as well.
create temp view annals_tables as
with recursive tree as (
    select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = :'schema' and c.relkind in ('r', 'p') and c.relname in (
        'journal', 'journal_metadata', 'journal_deletion', 'journal_settings', 'annals_schema', 'tags', 'snapshot',
        'durable_state', 'projection_version', 'projection_range', 'projection_member', 'projection_dead_letter',
        'partition_life', 'reader_position')
    union
    select i.inhrelid from pg_catalog.pg_inherits i join tree t on i.inhparent = t.oid
)
select oid from tree;

select format('alter table %s owner to %I', t.oid::regclass, :'owner')
from annals_tables t join pg_catalog.pg_class c using (oid)
where c.relowner <> (select oid from pg_catalog.pg_roles where rolname = :'owner') \gexec

select to_regclass(format('%I.partition_life', :'schema')) is not null as has_life \gset
\if :has_life
    select format('alter table %s owner to %I', c.oid::regclass, :'owner')
    from :"schema".partition_life l
    join pg_catalog.pg_class c on c.oid = to_regclass(format('%I.%I', l.schema_name, l.partition))
    where c.relowner <> (select oid from pg_catalog.pg_roles where rolname = :'owner') \gexec
\endif

select format('alter function %s owner to %I', p.oid::regprocedure, :'owner')
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where n.nspname = :'schema' and p.proname in ('journal_writes_deleted', 'keep_journal_metadata', 'update_journal_metadata')
  and p.proowner <> (select oid from pg_catalog.pg_roles where rolname = :'owner') \gexec

select format('revoke all on %s from %I, %I, public', t.oid::regclass, :'writer', :'reader') from annals_tables t \gexec
drop view annals_tables;

-- Partitions are reached through the journal alone. `deleted` is what an erased event leaves behind.
select format('grant %s on %I.%I to %I', what, :'schema', name, role)
from (values
    (:'writer', 'select, insert, delete, update (deleted)', 'journal'),
    (:'writer', 'select, insert, update', 'journal_metadata'),
    (:'writer', 'select, insert, update', 'journal_deletion'),
    (:'writer', 'select', 'journal_settings'),
    (:'writer', 'select', 'annals_schema'),
    (:'writer', 'select', 'partition_life'),
    (:'writer', 'select, insert', 'tags'),
    (:'writer', 'select, insert, update, delete', 'snapshot'),
    (:'writer', 'select, insert, update', 'durable_state'),
    (:'reader', 'select', 'journal'),
    (:'reader', 'select', 'journal_metadata'),
    (:'reader', 'select', 'journal_deletion'),
    (:'reader', 'select', 'journal_settings'),
    (:'reader', 'select', 'annals_schema'),
    (:'reader', 'select', 'partition_life'),
    (:'reader', 'select', 'tags'),
    (:'reader', 'select', 'snapshot'),
    (:'reader', 'select', 'durable_state'),
    (:'reader', 'select, insert, update, delete', 'projection_version'),
    (:'reader', 'select, insert, update, delete', 'projection_range'),
    (:'reader', 'select, insert, update, delete', 'projection_member'),
    (:'reader', 'select, insert, update, delete', 'projection_dead_letter'),
    (:'reader', 'select, insert, update, delete', 'reader_position')
) as needed (role, what, name)
where to_regclass(format('%I.%I', :'schema', name)) is not null \gexec

select format('grant %s on sequence %I.%I to %I', what, :'schema', name, role)
from (values
    (:'writer', 'usage, select', 'journal_ordering_seq'),
    (:'writer', 'usage', 'tags_id_seq'),
    (:'writer', 'usage, select', 'durable_state_global_offset_seq'),
    (:'reader', 'select', 'journal_ordering_seq'),
    (:'reader', 'select', 'durable_state_global_offset_seq')
) as needed (role, what, name)
where to_regclass(format('%I.%I', :'schema', name)) is not null \gexec
