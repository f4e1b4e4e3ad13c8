# shellcheck shell=bash
# The life of j_ledger_0 by scripts/archivisation of pekko-persistence-postgres, in the nested schema, the only one
# that they know. They are read from a checkout, in the order of the demo that is among them.

prepare_jvm() {
  local scripts=${ANNALS_JVM_SCRIPTS:-} tables file
  version='pekko-persistence-postgres'
  if [ -z "$scripts" ]; then
    lack='ANNALS_JVM_SCRIPTS is not set'
    return
  fi
  tables=$scripts/../../core/src/test/resources/schema/postgres/nested-partitions-schema.sql
  if [ ! -f "$scripts/3-detach.sql" ] || [ ! -f "$tables" ]; then
    lack='no checkout around ANNALS_JVM_SCRIPTS'
    return
  fi
  version+=$(git -C "$scripts" log -1 --format=' %h of %cs' 2>/dev/null || :)
  mkdir "$work/jvm"
  cp "$scripts"/* "$work/jvm/"
  chmod -R a+rX "$work/jvm"
  make_full jvm
  run_file full_jvm "$tables"
  run_file full_jvm "$here/fill_nested.sql"
  for file in 1-create-archivisation-table 2-select-partitions-to-detach 3-detach 5-drop-detached 9-attach; do
    run_file full_jvm "$work/jvm/$file.sql"
  done
  ask full_jvm "call create_archivisation_table('public', 'archivisation')"
}

it_is_jvm() {
  table=j_ledger_0 oldest="persistence_id = 'ledger' and sequence_number < 3000"
}

call() {
  try "$bin/psql" -v ON_ERROR_STOP=1 -c "call $1"
}

jvm_select() {
  call "find_and_mark_journal_nested_partitions_as_detached('public', 'journal', 'snapshot', 'archivisation')"
}

readonly jvm_detach="detach_partitions_from_archivisation('public', 'archivisation')"
readonly jvm_drop="drop_detached_partitions('public', 'archivisation')"
readonly jvm_attach="reattach_partitions_from_archivisation('public', 'archivisation')"

# The dumps go to the folder in which it is run.
in_archives() {
  local how=$1
  shift
  "$how" bash -c 'cd "$0" && exec "$@"' "$archives" \
    env CONNECTION_OPTIONS="--dbname=$PGDATABASE --host=$PGHOST --username=$PGUSER" "$@"
}

export_by() {
  in_archives "$@" bash "$work/jvm/4-export-detached.sh" public archivisation
}

import_by() {
  in_archives "$@" bash "$work/jvm/8-import-deleted.sh" public.j_ledger_0 public archivisation
}

jvm_as_far_as() {
  jvm_select
  call "$jvm_detach"
  [ "$1" != detach ] || return 0
  export_by try
  [ "$1" != archive ] || return 0
  call "$jvm_drop"
  [ "$1" != drop ] || return 0
  import_by try
}

jvm_ahead() {
  local before
  before=$(ask probe "select count(*) from pg_inherits")
  jvm_as_far_as drop
  cell='none by the scripts'
  [ "$(ask probe "select count(*) from pg_inherits")" -lt "$before" ] || cell='yes'
}

jvm_ahead_waits() {
  cell='none by the scripts'
}

jvm_detach_lock() {
  jvm_select
  behind_a_reader call "$jvm_detach"
  lock_word
}

jvm_detach_waits() {
  it_is_jvm
  jvm_select
  behind_a_reader call "$jvm_detach"
  waits
  ! attached || cell='it did not leave'
}

jvm_attach_waits() {
  it_is_jvm
  jvm_as_far_as restore
  behind_a_reader call "$jvm_attach"
  waits
  attached || cell='it did not come back'
}

jvm_no_snapshot() {
  it_is_jvm
  ask probe 'delete from snapshot'
  jvm_as_far_as detach
  left_or_stayed 'passed over, nothing is said'
}

jvm_projection() {
  it_is_jvm
  # As Pekko Projection has it.
  ask probe "create table pekko_projection_offset_store (projection_name text, projection_key text, current_offset text,
    manifest text, mergeable boolean, last_updated bigint, primary key (projection_name, projection_key));
    insert into pekko_projection_offset_store values ('slow', 'red', '1000', 'SEQ', false, 0)"
  jvm_as_far_as detach
  left_or_stayed "$said"
}

jvm_open_transaction() {
  it_is_jvm
  jvm_select
  open_reader 3
  call "$jvm_detach"
  left_or_stayed "$said"
  reader_is_there || cell='waits until it ends, and leaves'
}

jvm_apostrophe() {
  local selected
  it_is_jvm
  ask probe "create table j_o_brien partition of journal for values in ('o''brien') partition by range (sequence_number);
    create table j_o_brien_0 partition of j_o_brien for values from (0) to (100);
    create table j_o_brien_1 partition of j_o_brien for values from (100) to (200);
    insert into journal (sequence_number, persistence_id, message, tags, metadata)
    select n, 'o''brien', 'x', '{}', '{\"sid\": 4, \"wid\": \"x\", \"t\": 1}' from generate_series(1, 150) as n;
    insert into snapshot (persistence_id, sequence_number, created, snapshot, metadata) values ('o''brien', 140, 0, '', '{\"sid\": 4}')"
  jvm_select
  selected=$code
  call "$jvm_detach"
  left_or_stayed 'passed over'
  [ "$selected" = 0 ] || left_or_stayed 'an error, and no partition of any id leaves'
}

jvm_unarchived() {
  it_is_jvm
  jvm_as_far_as detach
  call "$jvm_drop"
  fate "$code"
  [ "$code" != 0 ] || ! stands || cell='passed over; the table is kept'
}

export_and_go_on() {
  local exported
  it_is_jvm
  jvm_as_far_as detach
  "$@"
  exported=$code
  call "$jvm_drop"
  fate "$exported"
}

jvm_killed_dump() {
  export_and_go_on with_broken killed export_by try
}

try_with_no_room() {
  try "${no_room[@]}" "$@"
}

jvm_full_disk() {
  export_and_go_on export_by try_with_no_room
}

jvm_unwritable() {
  unwritable_folder
  export_and_go_on export_by try
}

jvm_half_dump() {
  export_and_go_on with_broken half export_by try
}

jvm_flipped_before() {
  it_is_jvm
  jvm_as_far_as archive
  flip "$(archive_file j_ledger_0.dump)"
  call "$jvm_drop"
  fate "$code"
}

jvm_flipped_after() {
  local before
  it_is_jvm
  before=$(digest)
  jvm_as_far_as drop
  flip "$(archive_file j_ledger_0.dump)"
  import_by try
  call "$jvm_attach"
  cell='refused'
  if attached; then
    cell='attached'
    [ "$(digest)" = "$before" ] || cell+=', with an event that was never written'
  fi
}

jvm_private() {
  jvm_as_far_as archive
  readable_by
}

jvm_killed_leaving() {
  it_is_jvm
  jvm_select
  kill_while_it_leaves "$bin/psql" -c "call $jvm_detach"
  call "$jvm_detach"
  gone_after_all
}

jvm_killed_archiving() {
  it_is_jvm
  jvm_as_far_as detach
  with_broken kills export_by try
  jvm_as_far_as restore
  call "$jvm_attach"
  whole_after_all
}

# Killed after the table is made, and before its rows.
jvm_killed_restoring() {
  it_is_jvm
  jvm_as_far_as drop
  mkdir -p "$work/kills_import"
  cat >"$work/kills_import/psql" <<TEXT
#!/usr/bin/env bash
case "\$*" in
  *ON_ERROR_STOP=on*) sed '/^COPY/,\$d' | '$bin/psql' "\$@"; kill -KILL \$PPID ;;
  *) exec '$bin/psql' "\$@" ;;
esac
TEXT
  chmod 755 "$work/kills_import/psql"
  PATH="$work/kills_import:$PATH" import_by try
  import_by try
  call "$jvm_attach"
  whole_after_all
}

jvm_two_leave() {
  it_is_jvm
  jvm_select
  open_reader 3
  begin "$bin/psql" -v ON_ERROR_STOP=1 -c "call $jvm_detach"
  until_it_waits
  call "$jvm_detach"
  second_was_told
}

jvm_two_archive() {
  it_is_jvm
  jvm_as_far_as detach
  : >"$work/calls"
  chmod 666 "$work/calls"
  with_broken slow export_by begin
  first_dumps
  with_broken slow export_by try
  second_dumped
}

jvm_back() {
  local before bounds
  it_is_jvm
  before=$(digest) bounds=$(bound)
  jvm_as_far_as restore
  call "$jvm_attach"
  same_as "$before" "$bounds"
}

jvm_unique() {
  twice "insert into journal (sequence_number, persistence_id, message, tags, metadata)
    select 5, 'ledger', 'again', '{}', '{\"sid\": 4, \"wid\": \"x\", \"t\": 1}'"
}

jvm_unique_gone() {
  jvm_as_far_as drop
  jvm_unique
}

jvm_elsewhere() {
  local before
  it_is_jvm
  before=$(digest)
  jvm_as_far_as archive
  fresh_elsewhere jvm 'alter table j_ledger detach partition j_ledger_0; drop table j_ledger_0'
  import_by try
  call "$jvm_attach"
  cell='no: it knows no archive of elsewhere; by hand'
  [ "$(digest)" != "$before" ] || cell='yes, all events'
}

jvm_other_tag() {
  it_is_jvm
  jvm_as_far_as archive
  fresh_elsewhere jvm "alter table j_ledger detach partition j_ledger_0; drop table j_ledger_0;
    update tags set name = 'green' where name = 'red'"
  try "$bin/psql" -v ON_ERROR_STOP=1 -f "$archives/public.j_ledger_0.dump"
  cell='by hand: refused'
  [ "$code" != 0 ] || cell='by hand: restored, the events have another tag'
}

jvm_unattended() {
  it_is_jvm
  jvm_as_far_as drop
  cell='no'
  stands || cell='no: four steps, each by itself'
}

jvm_other_keys() {
  ask probe "create table readings (at timestamptz not null, value int) partition by range (at);
    create table readings_0 partition of readings for values from ('2026-01-01') to ('2026-02-01')"
  call "find_and_mark_journal_nested_partitions_as_detached('public', 'readings', 'snapshot', 'archivisation')"
  cell='no: a nested journal alone'
  [ "$(ask probe 'select count(*) from archivisation')" = 0 ] || cell='yes'
}
