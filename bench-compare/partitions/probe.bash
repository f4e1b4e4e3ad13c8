# shellcheck shell=bash
# What the probes of all tools have in common. A tool has a function for each probe, which sets $cell.

# Runs a command as it would be run by hand: $code and $said are what it came to. Nothing here takes a minute: what
# does has no end, and gets the code 124.
try() {
  code=0
  printf -- '-- %s\n' "$*" >&"$log_to"
  said=$(as_server timeout 60 "$@" 2>&1 </dev/null) || code=$?
  printf '%s\n-- exit code %s\n' "$said" "$code" >&"$log_to"
}

# Like try, beside what comes next; `done_with` waits for it.
begin() {
  printf -- '-- begin: %s\n' "$*" >&"$log_to"
  as_server "$@" >"$work/begun" 2>&1 </dev/null &
  begun=$!
  others+=("$begun")
}

done_with() {
  code=0
  wait "$begun" || code=$?
  said=$(<"$work/begun")
  printf -- '-- begun:\n%s\n-- exit code %s\n' "$said" "$code" >&"$log_to"
}

# Waits until a question is answered with true.
until_true() {
  local try
  for try in {1..300}; do
    [ "$(ask probe "$1")" != t ] || return 0
    sleep 0.05
  done
  printf 'not true within %s tries: %s\n' "$try" "$1" >&2
  return 1
}

# A transaction that reads, and stays open for so many seconds: all of the journal, or what a condition leaves.
open_reader() {
  PGAPPNAME=reader "$bin/psql" -X -q -d probe -c "begin; select count(*) from journal ${2:-}; select pg_sleep($1); commit" \
    >/dev/null 2>&1 </dev/null &
  others+=("$!")
  reader=$!
  until_true "select exists (select from pg_stat_activity where application_name = 'reader' and query ~ 'pg_sleep' and wait_event = 'PgSleep')"
}

reader_is_there() {
  kill -0 "$reader" 2>/dev/null && [ "$(ask probe "select count(*) from pg_stat_activity where application_name = 'reader'")" = 1 ]
}

# Somebody's session has come to where it waits for the reader.
until_it_waits() {
  until_true "select exists (select from pg_stat_activity where pid <> pg_backend_pid() and wait_event_type = 'Lock')"
}

# Sets $longest, of an append in milliseconds while a command runs behind a reader, and $mode, the strongest lock
# that it took on the parent.
behind_a_reader() {
  ask probe 'truncate probe.locks'
  ask probe 'call probe.write()' >/dev/null 2>&"$log_to" </dev/null &
  others+=("$!")
  local writer=$!
  until_true 'select coalesce((select appended > 20 from probe.writer), false)'
  open_reader 2
  "$@"
  wait "$reader" || :
  sleep 0.1
  ask probe 'update probe.writer set stop = true'
  wait "$writer"
  longest=$(ask probe 'select ceil(extract(epoch from longest) * 1000) from probe.writer')
  # The strongest: of the names of these two, the first by the alphabet.
  mode=$(ask probe 'select min(mode) from probe.locks')
  printf -- '-- longest append %s ms, %s\n' "$longest" "$mode" >&"$log_to"
}

# Far above what a busy machine does by itself, far below the two seconds of the reader.
waits() {
  if [ "$longest" -gt 1000 ]; then
    cell='yes, until the reader is done'
  else
    cell='no'
  fi
}

lock_word() {
  case $mode in
    AccessExclusiveLock) cell='ACCESS EXCLUSIVE: nobody reads or writes' ;;
    ShareUpdateExclusiveLock) cell='SHARE UPDATE EXCLUSIVE, concurrently' ;;
    *) cell=${mode:-none} ;;
  esac
}

# The oldest partition of a tool and what it holds is described by $table and $oldest, a condition.
attached() {
  [ "$(ask probe "select exists (select from pg_inherits where inhrelid = to_regclass('$table') and not inhdetachpending)")" = t ]
}

stands() {
  [ "$(ask probe "select exists (select from pg_class where relname = '${table##*.}' and relkind = 'r')")" = t ]
}

# The one file that ends so.
archive_file() {
  find "$archives" -name "*$1" -size +0 | head -n 1
}

left_or_stayed() {
  if attached; then
    cell="stays${1:+: $1}"
  else
    cell='leaves'
  fi
}

# What the archiving said in $code, and what became of the table.
fate() {
  local how='said to be done'
  [ "$1" = 0 ] || how='an error'
  [ "$1" != 124 ] || how='hangs'
  [ "$tool-$1" != annals-3 ] || how='refused'
  if stands; then
    cell="$how; the table is kept"
  else
    cell="$how; the table is dropped"
  fi
}

digest() {
  ask probe "select count(*) || ' ' || coalesce(md5(string_agg(md5(j::text), '' order by ordering)), '') from (
    select ordering, sequence_number, deleted, persistence_id, message, tags, metadata from journal where $oldest) as j"
}

bound() {
  ask probe "select pg_get_expr(relpartbound, oid) from pg_class where oid = to_regclass('$table')"
}

# In the folder $work/NAME, a pg_dump with a flaw, which goes before the real one.
broken_dumps() {
  broken killed '"$real" "$@" & kill -KILL $!; wait $! 2>/dev/null; exit 137'
  broken slow 'echo >>"$calls"; sleep 2; exec "$real" "$@"'
  broken kills 'kill -KILL $PPID; exit 137'
  # To wherever it was told to write.
  broken half 'file=; for word; do case $word in --file=*) file=${word#--file=};; esac; done
    if [ -n "$file" ]; then "$real" "$@" && truncate -s 20000 "$file"; else "$real" "$@" | head -c 20000; fi; exit 0'
}

broken() {
  mkdir "$work/$1"
  cat >"$work/$1/pg_dump" <<TEXT
#!/usr/bin/env bash
real='$bin/pg_dump' calls='$work/calls'
case "\$*" in *--version*) exec "\$real" "\$@" ;; esac
$2
TEXT
  chmod 755 "$work/$1/pg_dump"
  ln -s "$bin/pg_restore" "$work/$1/pg_restore"
}

with_broken() {
  local folder=$work/$1
  shift
  PATH="$folder:$PATH" ANNALS_POSTGRES_BIN=$folder "$@"
}

# As on a full disk, without one: a file ends where it may not grow, by an error of the write. Goes before a command.
readonly no_room=(bash -c 'trap "" XFSZ; ulimit -f 20; exec "$@"' no_room)

unwritable_folder() {
  as_server chmod 500 "$archives"
}

# Changes a byte of a file: within the text of a message where it is text, else in the middle.
flip() {
  local file=$1 at byte
  at=$(LC_ALL=C grep -abo '\\\\x' "$file" | head -n 1 | cut -d : -f 1) || :
  if [ -n "$at" ]; then
    at=$((at + 5))
  else
    at=$(($(wc -c <"$file") / 2))
  fi
  byte=$(od -An -tu1 -j "$at" -N 1 "$file" | tr -d ' ')
  # Another hexadecimal digit.
  byte=$((byte == 0x37 ? 0x36 : 0x37))
  # shellcheck disable=SC2059 # the byte is the format
  printf "\\x$(printf '%02x' "$byte")" | dd of="$file" bs=1 seek="$at" conv=notrunc 2>/dev/null
}

# What somebody else than the owner may do with the archive.
readable_by() {
  local file=''
  file=$(find "$archives" -type f -perm -004 | head -n 1)
  cell='its owner'
  [ -z "$file" ] || cell='everybody'
}

# Kills a command and its session while it waits for a reader, who has read nothing of the partition.
kill_while_it_leaves() {
  open_reader 3 'where ordering = 35999'
  begin "$@"
  until_it_waits
  ask probe "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'" >/dev/null
  done_with
  wait "$reader" || :
}

# Whether running it again did the work: the partition has left, or is there as it was.
gone_after_all() {
  cell='done'
  if attached || [ "$code" != 0 ]; then
    cell='it does not leave'
  fi
}

whole_after_all() {
  local rows
  rows=$(ask probe "select count(*) from journal where $oldest")
  if attached && [ "$rows" = 2999 ]; then
    cell='done, all events'
  elif attached; then
    cell="attached with $rows events of 2999"
  else
    cell='refused'
  fi
}

# Behind a second run, in $code and $said, while the first one waits.
second_was_told() {
  if reader_is_there; then
    cell='excluded: the second ends at once'
  elif [ "$code" != 0 ]; then
    cell='the second waits behind the first, then fails'
  else
    cell='the second waits behind the first'
  fi
  done_with
}

first_dumps() {
  local try
  for try in {1..200}; do
    [ ! -s "$work/calls" ] || return 0
    sleep 0.05
  done
  printf 'no dump within %s tries\n' "$try" >&2
}

second_dumped() {
  local dumps
  dumps=$(wc -l <"$work/calls")
  done_with
  if [ "$dumps" -gt 1 ]; then
    cell='both write the same file'
  else
    cell='excluded: the second ends at once'
  fi
}

# The rows of the oldest partition and its bounds, against those of before.
same_as() {
  local bounds
  bounds=$(bound)
  if ! attached; then
    cell='it did not come back'
  elif [ "$(digest)" != "$1" ]; then
    cell='other events'
  elif [ "$bounds" != "$2" ]; then
    cell="all events; bounds $bounds, and $2 before"
    cell=${cell//FOR VALUES /}
  else
    cell='all events, the same bounds'
  fi
}

# A statement that stores a number again.
twice() {
  try "$bin/psql" -v ON_ERROR_STOP=1 -c "$1"
  if [ "$code" = 0 ]; then
    cell='stored'
  elif [[ $said == *'no partition'* ]]; then
    cell='refused: no partition is there for it'
  else
    cell='refused'
  fi
}
