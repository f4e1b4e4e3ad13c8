# shellcheck shell=bash
# The life of the oldest partition by pg_partman: retention detaches it and moves it into a schema, from which its
# dump_partition.py dumps and drops. What comes back comes by hand.

install_partman() {
  if ! worker_is_here && may_install; then
    printf 'pg_partman was not found: installing the package postgresql-%s-partman.\n' "$major" >&2
    apt_get update && apt_get install "postgresql-$major-partman" || :
  fi
}

worker_is_here() {
  [ -f "$("$bin/pg_config" --pkglibdir 2>/dev/null)/pg_partman_bgw.so" ]
}

prepare_partman() {
  local found
  version='pg_partman'
  found=$(ask postgres "select default_version from pg_available_extensions where name = 'pg_partman'")
  if [ -z "$found" ]; then
    lack="no extension pg_partman for PostgreSQL $major (Debian: postgresql-$major-partman)"
    return
  fi
  version="pg_partman $found"
  make_full partman
  ask full_partman 'create schema partman; create extension pg_partman schema partman'
  divided_by_partman full_partman "${found%%.*}"
}

prepare_partman_source() {
  local found source=$ANNALS_PARTMAN
  version='pg_partman'
  if [ ! -d "$source/sql/functions" ]; then
    lack='no checkout at ANNALS_PARTMAN'
    return
  fi
  found=$(sed -n "s/^default_version = '\(.*\)'/\1/p" "$source/pg_partman.control")
  version="pg_partman $found, without its worker"
  make_full partman_source
  # As its Makefile puts the script together, but into a schema: an extension would have to be installed.
  { printf 'create schema partman;\n' && cat "$source"/sql/{types,tables,functions,procedures}/*.sql; } |
    sed -e 's/@extschema@/partman/g' -e '/pg_extension_config_dump/d' >"$work/partman.sql"
  run_file full_partman_source "$work/partman.sql"
  divided_by_partman full_partman_source "${found%%.*}"
}

divided_by_partman() {
  local database=$1 type=range n
  [ "$2" -ge 5 ] || type=native
  run_file "$database" "$root/schemas/ordering/0001_journal.sql"
  run_file "$database" "$root/schemas/common/tables.sql"
  ask "$database" "create schema archive;
    create table journal_template (like journal);
    create unique index on journal_template (persistence_id, sequence_number);
    select partman.create_parent(p_parent_table => 'public.journal', p_control => 'ordering', p_interval => '3000',
      p_type => '$type', p_premake => 4, p_start_partition => '0', p_template_table => 'public.journal_template')" >/dev/null
  # Its maintenance looks at what is there: it is run as the journal fills.
  for n in {0..11}; do
    run_file "$database" "$here/fill.sql" -v low=$((n == 0 ? 1 : n * 3000)) -v high=$((n * 3000 + 2999))
    ask "$database" "select partman.run_maintenance('public.journal')" >/dev/null
  done
  run_file "$database" "$here/rest.sql"
  # Of 35,999 orderings: the first partition goes, and no other.
  ask "$database" "update partman.part_config set retention = '32000', retention_schema = 'archive', retention_keep_table = true"
}

it_is_partman() {
  table=$(ask probe "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where inhparent = 'journal'::regclass and pg_get_expr(relpartbound, c.oid) ~ 'FROM \(''0''\)'")
  oldest='ordering < 3000'
}

readonly maintenance="select partman.run_maintenance('public.journal')"

maintain() {
  try "$bin/psql" -v ON_ERROR_STOP=1 -c "$maintenance"
}

# Sets $dump, the program with its arguments. Python where a package has put psycopg2 comes first.
find_dump_program() {
  local program python
  dump=()
  for program in "$bin/dump_partition.py" "${ANNALS_PARTMAN:-/nowhere}/bin/common/dump_partition.py"; do
    [ -f "$program" ] || continue
    for python in /usr/bin/python3 python3; do
      if as_server "$python" -c 'import psycopg2' 2>/dev/null; then
        cp "$program" "$work/dump_partition.py"
        chmod 644 "$work/dump_partition.py"
        dump=("$python" "$work/dump_partition.py" -n archive -c 'dbname=probe' -o "$archives")
        return
      fi
    done
  done
  cell='not run: dump_partition.py, python3 and psycopg2 are needed'
  return 1
}

maintain_and_dump() {
  it_is_partman
  find_dump_program || return
  maintain
  try "${dump[@]}"
}

# There is no program for it.
back_by_hand() {
  try "$bin/pg_restore" -d "$PGDATABASE" --exit-on-error "$(archive_file "$table.pgdump")"
  try "$bin/psql" -v ON_ERROR_STOP=1 -c "alter table archive.$table set schema public;
    alter table journal attach partition $table for values from (0) to (3000)"
}

ahead_of_partman() {
  ask probe "select count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid where inhparent = 'journal'::regclass
    and substring(pg_get_expr(relpartbound, c.oid) from 'FROM \(''(\d+)''\)')::bigint > (select last_value from journal_ordering_seq)"
}

partman_ahead() {
  cell="$(ahead_of_partman), by run_maintenance"
}

partman_ahead_waits() {
  local before
  before=$(ahead_of_partman)
  ask probe 'update partman.part_config set premake = 8, retention = null'
  behind_a_reader maintain
  waits
  [ "$(ahead_of_partman)" -gt "$before" ] || cell='none was made'
}

partman_detach_lock() {
  behind_a_reader maintain
  lock_word
}

partman_detach_waits() {
  it_is_partman
  behind_a_reader maintain
  waits
  ! attached || cell='it did not leave'
}

partman_attach_waits() {
  maintain_and_dump || return 0
  try "$bin/pg_restore" -d probe --exit-on-error "$(archive_file "$table.pgdump")"
  behind_a_reader try "$bin/psql" -v ON_ERROR_STOP=1 -c "alter table journal attach partition archive.$table for values from (0) to (3000)"
  waits
  cell="by hand: $cell"
}

partman_no_snapshot() {
  it_is_partman
  ask probe 'delete from snapshot'
  maintain
  left_or_stayed "$said"
}

partman_projection() {
  it_is_partman
  ask probe "create table projection_offset (projection text primary key, read_to bigint); insert into projection_offset values ('slow', 1000)"
  maintain
  left_or_stayed "$said"
}

partman_open_transaction() {
  it_is_partman
  open_reader 3
  maintain
  left_or_stayed "$said"
  reader_is_there || cell='waits until it ends, and leaves'
}

partman_apostrophe() {
  it_is_partman
  ask probe "update journal set persistence_id = 'Account|o''brien' where persistence_id = 'Account|7'"
  maintain
  left_or_stayed "$said"
}

partman_unarchived() {
  it_is_partman
  ask probe 'update partman.part_config set retention_keep_table = false, retention_schema = null'
  maintain
  fate "$code"
  [ "$code" != 0 ] || stands || cell='the table is dropped, where retention_keep_table is false'
}

dump_and_go_on() {
  it_is_partman
  find_dump_program || return 0
  maintain
  "$@" "${dump[@]}"
  fate "$code"
}

partman_killed_dump() {
  dump_and_go_on with_broken killed try
}

partman_full_disk() {
  dump_and_go_on try "${no_room[@]}"
}

partman_unwritable() {
  unwritable_folder
  dump_and_go_on try
}

partman_half_dump() {
  dump_and_go_on with_broken half try
}

partman_flipped_before() {
  maintain_and_dump || return 0
  cell='dumps and drops in one run'
  ! stands || cell='the table is kept'
}

partman_flipped_after() {
  maintain_and_dump || return 0
  flip "$(archive_file "$table.pgdump")"
  try bash -c 'cd "$0" && exec "$@"' "$archives" sha512sum --check "archive.$table.hash"
  cell='by hand: its SHA-512 tells'
  [ "$code" != 0 ] || cell='by hand: not found'
}

partman_private() {
  maintain_and_dump || return 0
  readable_by
}

partman_killed_leaving() {
  it_is_partman
  kill_while_it_leaves "$bin/psql" -c "$maintenance"
  maintain
  gone_after_all
}

partman_killed_archiving() {
  it_is_partman
  find_dump_program || return 0
  maintain
  with_broken kills try "${dump[@]}"
  try "${dump[@]}"
  back_by_hand
  whole_after_all
}

partman_killed_restoring() {
  cell='no tool for it'
}

partman_two_leave() {
  it_is_partman
  open_reader 3
  begin "$bin/psql" -v ON_ERROR_STOP=1 -c "$maintenance"
  until_it_waits
  maintain
  second_was_told
}

partman_two_archive() {
  it_is_partman
  find_dump_program || return 0
  maintain
  : >"$work/calls"
  chmod 666 "$work/calls"
  with_broken slow begin "${dump[@]}"
  first_dumps
  with_broken slow try "${dump[@]}"
  second_dumped
}

partman_back() {
  local before bounds
  it_is_partman
  before=$(digest) bounds=$(bound)
  maintain_and_dump || return 0
  back_by_hand
  same_as "$before" "$bounds"
  cell="by hand: $cell"
}

partman_unique() {
  twice "insert into journal (ordering, sequence_number, persistence_id, message, tags, metadata)
    select nextval('journal_ordering_seq'), 5, 'Account|7', 'again', '{}', '{\"sid\": 4, \"wid\": \"x\", \"t\": 1}'"
}

partman_unique_gone() {
  maintain_and_dump || return 0
  partman_unique
}

there_by_partman() {
  maintain_and_dump || return
  # Where it was made, the table has gone: the other server is like this one now.
  "$bin/pg_dump" -Fc probe >"$work/whole.dump"
  use_server b
  ask postgres 'drop database if exists probe with (force)' 2>/dev/null
  ask postgres 'create database probe'
  "$bin/pg_restore" -d probe "$work/whole.dump" 2>>"$work/notices" || :
  ask probe "$1"
  back_by_hand
}

partman_elsewhere() {
  local before
  it_is_partman
  before=$(digest)
  there_by_partman '' || return 0
  cell='by hand: no'
  [ "$(digest)" != "$before" ] || cell='by hand: all events'
}

partman_other_tag() {
  it_is_partman
  there_by_partman "update tags set name = 'green' where name = 'red'" || return 0
  cell='by hand: refused'
  ! attached || cell='by hand: restored, the events have another tag'
}

# On a server of its own, where the worker finds its database when it starts: one that was made minutes later was
# left alone.
partman_unattended() {
  local folder=$work/server-worker
  if [ "$tool" != partman ] || ! worker_is_here; then
    cell='not run: its background worker is not here'
    return
  fi
  it_is_partman
  "$bin/pg_dump" -Fc probe >"$work/whole.dump"
  serve worker
  use_server worker
  ask postgres 'create database probe'
  "$bin/pg_restore" -d probe "$work/whole.dump" 2>>"$work/notices" || :
  as_server tee -a "$folder/data/postgresql.conf" >/dev/null <<TEXT
shared_preload_libraries = 'pg_partman_bgw'
pg_partman_bgw.interval = 1
pg_partman_bgw.dbname = 'probe'
pg_partman_bgw.role = 'annals'
TEXT
  as_server "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -s restart
  cell='no'
  if until_true "select not exists (select from pg_inherits where inhrelid = to_regclass('$table'))"; then
    cell='its background worker detaches, with no cron'
  fi
}

partman_other_keys() {
  local type=range
  [ "$(ask probe "select count(*) from pg_proc where proname = 'create_parent' and 'p_default_table' = any (proargnames)")" = 1 ] || type=native
  ask probe "create table readings (at timestamptz not null, value int) partition by range (at)"
  try "$bin/psql" -v ON_ERROR_STOP=1 -c "select partman.create_parent(p_parent_table => 'public.readings', p_control => 'at',
    p_type => '$type', p_interval => '1 day')"
  cell='no'
  [ "$(ask probe "select count(*) > 5 from pg_inherits where inhparent = 'readings'::regclass")" != t ] || cell='yes'
}
