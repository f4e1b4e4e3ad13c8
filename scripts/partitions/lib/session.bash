# shellcheck shell=bash
# One session of psql for the whole life of a command: whoever has it has the lock, and everything that
# changes the database goes through it. It ends with the command, however that ends, and no earlier than
# the statement that is under way; so the lock never lies.

# The end of an answer; no row looks like it.
readonly mark='=== annals: that was all ==='

# "partlife" as two integers would be taken by the maintainer of partitions; this one is "life".
readonly lock_class=1818846821

open_session() {
  problems=$(mktemp "${TMPDIR:-/tmp}/annals-partitions.XXXXXX")
  trap 'rm -rf "$problems" ${staging:+"$staging"}' EXIT
  coproc SESSION {
    cd "$root/schemas/partitions" || exit
    PGAPPNAME="annals partitions" exec psql -X -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=terse \
      -v schema="$schema" -v wait="$wait" -v lock_timeout="$lock_timeout" -v retries="$retries" \
      ${url:+-d "$url"} 2>"$problems"
  }
  session_pid=$SESSION_PID
  exec {to_session}>&"${SESSION[1]}" {from_session}<&"${SESSION[0]}"
  eval "exec ${SESSION[1]}>&- ${SESSION[0]}<&-"
  ask '\i ../../scripts/partitions/lib/session.sql'
}

# Sends lines to psql and waits for what they say; it stands in $said then. An error ends the session,
# and the command.
ask() {
  local line
  said=''
  # Writing to a session that has ended must be an error, not the end.
  trap '' PIPE
  if printf '%s\n\\echo %s\n' "$1" "$mark" >&"$to_session" 2>/dev/null; then
    while IFS= read -r line <&"$from_session"; do
      [ "$line" != "$mark" ] || return 0
      said+=${said:+$'\n'}$line
    done
  fi
  wait "$session_pid" 2>/dev/null || :
  fail "$(cat "$problems")"
}

# The files of SQL, one after the other.
files() {
  local file lines=''
  for file in "$@"; do
    lines+="\\i $file.sql"$'\n'
  done
  ask "$lines"
}

# Runs the statements that a file says, each by itself and in no transaction.
run_what_is_said_by() {
  ask "$(cat "$root/schemas/partitions/$1.sql")
\\gexec"
}

# Sets annals.NAME for the files: to_server NAME VALUE.
to_server() {
  local value=${2//\\/\\\\}
  value=${value//\'/\'\'}
  value=${value//$'\n'/\\n}
  ask "\\set value '$value'
select set_config('annals.$1', :'value', false) \\g /dev/null"
}

setting() {
  ask "select current_setting('annals.$1', true);"
}

# A value of JSON out of a setting, as text: field SETTING NAME.
field() {
  ask "select nullif(current_setting('annals.$1', true), '')::jsonb ->> '$2';"
}

# Takes the lock of this journal, or ends.
take_lock() {
  ask "select pg_try_advisory_lock($lock_class, to_regclass('journal')::oid::int);"
  if [ "$said" != t ]; then
    end_with 4 'another run works on the partitions of this journal'
  fi
}
