# shellcheck shell=bash
# The life of j_0 by scripts/partitions, in the layout by ordering.

prepare_annals() {
  local file before
  version="annals $(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml"), by ordering"
  make_full annals
  ask full_annals "alter database full_annals set annals.partition_size = '3000'"
  for file in ordering/0001_journal common/tables common/durable_state common/deletion common/journal_settings \
    common/projection common/partition_life common/projection_redrive; do
    run_file full_annals "$root/schemas/$file.sql" -1
  done
  # A program lays partitions ahead of its own writes; nobody does for these rows.
  ask full_annals "select format('create table j_%s (like journal including all);
    create unique index on j_%1\$s (persistence_id, sequence_number);
    alter table journal attach partition j_%1\$s for values from (%s) to (%s)', n, n * 3000, n * 3000 + 3000)
    from generate_series(0, 12) as n" >"$work/partitions.sql"
  sed -i.orig 's/$/;/' "$work/partitions.sql"
  run_file full_annals "$work/partitions.sql"
  run_file full_annals "$here/fill.sql" -v low=1 -v high=35999
  run_file full_annals "$here/rest.sql"
  before=''
  program=''
  if wish cargo && wish linker; then
    before=$(cargo build --quiet --manifest-path "$root/Cargo.toml" -p account --message-format json </dev/null |
      sed -n 's/.*"executable":"\([^"]*account\)".*/\1/p')
    program=$work/account
    cp "$before" "$program"
  fi
}

it_is_annals() {
  table=j_0 oldest='ordering < 3000'
}

partitions() {
  local command=$1
  shift
  try "$work/scripts/partitions/$command" "$@"
}

leave_as_far_as() {
  local step
  for step in detach archive verify drop restore; do
    ANNALS_ARCHIVES=$archives partitions "$step" j_0
    [ "$step" != "$1" ] || break
  done
}

write_by_a_program() {
  try env DATABASE_URL="postgresql://annals@/probe?host=$PGHOST" "$program"
}

ahead_of_annals() {
  ask probe "select count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid where inhparent = 'journal'::regclass
    and substring(pg_get_expr(relpartbound, c.oid) from 'FROM \(''(\d+)''\)')::bigint > (select last_value from journal_ordering_seq)"
}

annals_ahead() {
  if [ -z "$program" ]; then
    cell='not run: there is no cargo'
    return
  fi
  write_by_a_program
  cell="$(ahead_of_annals), by the program that writes"
}

annals_ahead_waits() {
  if [ -z "$program" ]; then
    cell='not run: there is no cargo'
    return
  fi
  behind_a_reader write_by_a_program
  waits
  [ "$(ahead_of_annals)" -gt 0 ] || cell='none was made'
}

annals_detach_lock() {
  behind_a_reader partitions detach j_0
  lock_word
}

annals_detach_waits() {
  it_is_annals
  behind_a_reader partitions detach j_0
  waits
  ! attached || cell='it did not leave'
}

annals_attach_waits() {
  it_is_annals
  leave_as_far_as restore
  behind_a_reader partitions attach j_0
  waits
  attached || cell='it did not come back'
}

annals_no_snapshot() {
  it_is_annals
  ask probe "delete from snapshot where persistence_id = 'Account|7'"
  refused_with 'Account\|7'
}

refused_with() {
  partitions detach --wait 300 j_0
  left_or_stayed "refused, nobody is named"
  if attached && [ "$code" = 3 ] && [[ $said =~ $1 ]]; then
    left_or_stayed 'refused, and named'
  fi
}

annals_projection() {
  it_is_annals
  ask probe "insert into projection_version (projection, version) values ('slow', 1)"
  ask probe "insert into projection_range (projection, version, first_slice, last_slice, read_to) values ('slow', 1, 0, 1023, 1000)"
  refused_with 'slow'
}

annals_open_transaction() {
  it_is_annals
  open_reader 3
  refused_with 'backend [0-9]+'
  reader_is_there || cell='waits until it ends'
}

annals_apostrophe() {
  it_is_annals
  ask probe "update journal set persistence_id = 'Account|o''brien' where persistence_id = 'Account|7';
    update journal_metadata set persistence_id = 'Account|o''brien' where persistence_id = 'Account|7';
    update snapshot set persistence_id = 'Account|o''brien' where persistence_id = 'Account|7'"
  partitions detach j_0
  left_or_stayed "$said"
}

annals_unarchived() {
  it_is_annals
  leave_as_far_as detach
  partitions drop j_0
  fate "$code"
}

archive_and_go_on() {
  local archived verified
  it_is_annals
  leave_as_far_as detach
  "$@" "$work/scripts/partitions/archive" --to "$archives" j_0
  archived=$code
  partitions verify j_0
  verified=$code
  partitions drop j_0
  # What the archiving did not see, the next step may.
  [ "$archived" != 0 ] || archived=$verified
  fate "$archived"
}

annals_killed_dump() {
  archive_and_go_on with_broken killed try
}

annals_full_disk() {
  archive_and_go_on try "${no_room[@]}"
}

annals_unwritable() {
  unwritable_folder
  archive_and_go_on try
}

annals_half_dump() {
  archive_and_go_on with_broken half try
}

annals_flipped_before() {
  it_is_annals
  leave_as_far_as archive
  flip "$(archive_file .dump)"
  partitions verify j_0
  partitions drop j_0
  fate "$code"
}

annals_flipped_after() {
  it_is_annals
  leave_as_far_as drop
  flip "$(archive_file .dump)"
  partitions restore j_0
  partitions attach j_0
  if attached; then
    cell='attached'
  else
    cell='refused'
  fi
}

annals_private() {
  leave_as_far_as archive
  readable_by
}

annals_killed_leaving() {
  it_is_annals
  kill_while_it_leaves "$work/scripts/partitions/detach" j_0
  partitions detach j_0
  gone_after_all
  [ "$(ask probe 'select state from partition_life')" = detached ] || cell='its state is not known'
}

annals_killed_archiving() {
  it_is_annals
  leave_as_far_as detach
  with_broken kills try "$work/scripts/partitions/archive" --to "$archives" j_0
  until_true "select not exists (select from pg_stat_activity where application_name = 'annals partitions')"
  leave_as_far_as drop
  partitions restore j_0
  partitions attach j_0
  whole_after_all
}

annals_killed_restoring() {
  it_is_annals
  leave_as_far_as drop
  try env ANNALS_PARTITIONS_STOP_AT=restore-made "$work/scripts/partitions/restore" j_0
  until_true "select not exists (select from pg_stat_activity where application_name = 'annals partitions')"
  partitions restore j_0
  partitions attach j_0
  whole_after_all
}

annals_two_leave() {
  it_is_annals
  open_reader 3 'where ordering = 35999'
  begin "$work/scripts/partitions/detach" j_0
  until_it_waits
  partitions detach j_1
  second_was_told
}

annals_two_archive() {
  it_is_annals
  leave_as_far_as detach
  : >"$work/calls"
  chmod 666 "$work/calls"
  with_broken slow begin "$work/scripts/partitions/archive" --to "$archives" j_0
  first_dumps
  with_broken slow try "$work/scripts/partitions/archive" --to "$archives" j_0
  second_dumped
}

annals_back() {
  local before digest bounds
  it_is_annals
  before=$(digest) bounds=$(bound)
  leave_as_far_as restore
  partitions attach j_0
  same_as "$before" "$bounds"
}

annals_unique() {
  twice "insert into journal (ordering, sequence_number, persistence_id, message, tags, metadata)
    select nextval('journal_ordering_seq'), 5, 'Account|7', 'again', '{}', '{\"sid\": 4, \"wid\": \"x\", \"t\": 1}'"
}

annals_unique_gone() {
  leave_as_far_as drop
  annals_unique
}

there_by_annals() {
  local key
  it_is_annals
  before=$(digest)
  leave_as_far_as archive
  key=$(basename "$(archive_file .dump)" .dump)
  fresh_elsewhere annals "alter table journal detach partition j_0; drop table j_0; $1"
  partitions restore --archive "$key" --from "$archives"
}

annals_elsewhere() {
  local before
  there_by_annals ''
  partitions attach j_0
  cell='no'
  [ "$(digest)" != "$before" ] || cell='yes, all events'
}

annals_other_tag() {
  local before
  there_by_annals "update tags set name = 'green' where name = 'red'"
  cell='restored: the events have another tag'
  [ "$code" != 3 ] || [[ $said != *green* ]] || cell='refused, and named'
}

annals_unattended() {
  it_is_annals
  partitions run --keep-partitions 11 --to "$archives"
  cell='no'
  [ "$code" != 0 ] || stands || [ -z "$(archive_file .dump)" ] || cell='one command for cron or systemd: all steps to the drop'
}

annals_other_keys() {
  ask probe "create table readings (at timestamptz not null, value int) partition by range (at);
    create table readings_0 partition of readings for values from ('2026-01-01') to ('2026-02-01')"
  partitions detach --schema public readings_0
  cell='no: the journal alone'
  [ "$code" != 0 ] || cell='yes'
}
