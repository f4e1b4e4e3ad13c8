# shellcheck shell=bash
# What the commands of this folder share. A command sets `about` and `takes`, sources this file, calls
# `options "$@"` and then does its work.
if [ "${BASH_VERSINFO[0]}${BASH_VERSINFO[1]}" -lt 41 ]; then
  printf 'bash %s is too old: 4.1 is needed\n' "$BASH_VERSION" >&2
  exit 1
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
command=${0##*/}
# shellcheck source=scripts/lib/prerequisites.bash
. "$root/scripts/lib/prerequisites.bash"
# shellcheck source=scripts/partitions/lib/output.bash
. "$root/scripts/partitions/lib/output.bash"
# shellcheck source=scripts/partitions/lib/options.bash
. "$root/scripts/partitions/lib/options.bash"
# shellcheck source=scripts/partitions/lib/session.bash
. "$root/scripts/partitions/lib/session.bash"
# shellcheck source=scripts/partitions/lib/store.bash
. "$root/scripts/partitions/lib/store.bash"
# shellcheck source=scripts/partitions/lib/detach.bash
. "$root/scripts/partitions/lib/detach.bash"
# shellcheck source=scripts/partitions/lib/archive.bash
. "$root/scripts/partitions/lib/archive.bash"
# shellcheck source=scripts/partitions/lib/verify.bash
. "$root/scripts/partitions/lib/verify.bash"
# shellcheck source=scripts/partitions/lib/drop.bash
. "$root/scripts/partitions/lib/drop.bash"
# shellcheck source=scripts/partitions/lib/restore.bash
. "$root/scripts/partitions/lib/restore.bash"
# shellcheck source=scripts/partitions/lib/attach.bash
. "$root/scripts/partitions/lib/attach.bash"

# Whoever lets partitions go at night wants no packages installed by that.
may_install() {
  may_not_install='the scripts of partitions install nothing'
  return 1
}

# Where the server is this machine, dumping, packing and summing must not take the processor from it.
renice -n 10 -p $$ >/dev/null 2>&1 || :

# Archives hold events: nobody else's business.
umask 077

did='' refused='' partition=''

# Kills the command where a test wants to see what is left then.
stop_at() {
  [ "${ANNALS_PARTITIONS_STOP_AT:-}" != "$1" ] || kill -KILL $$
}

# The session, the lock, and the table of states.
begin() {
  require psql
  open_session
  if [ "$dry_run" = no ]; then
    ask "select to_regclass('journal') is null;"
    [ "$said" = f ] || files look
    take_lock
    # A database that a JVM made does not have it; who may not make tables need not be asked otherwise.
    ask "select to_regclass(format('%I.partition_life', current_schema())) is null;"
    [ "$said" = f ] || ask '\i ../common/partition_life.sql'
  fi
}

# Looks at $partition: $is says what the catalogue has of it, $state what the table of states has, once what
# a killed run has left is settled.
look() {
  to_server partition "$partition"
  files look
  setting found
  if [ -z "$said" ]; then
    is='' state=''
    return
  fi
  if [ "$dry_run" = no ]; then
    files settle look
  fi
  field found is
  is=$said
  field found state
  state=$said
}

known() {
  look
  [ -n "$is" ] || fail "the journal has and had no partition \"$partition\"; scripts/partitions/list names them"
  if [ "$is" = gone ] && [ "$state" != dropped ] && [ "$dry_run" = no ]; then
    fail "the table $partition is gone, and nobody has archived it: its state was $state"
  fi
}

to_state() {
  to_server state "$1"
  files mark
}

# The reasons that the last file found, one a line; those that --force repeats are left out, if they may be.
reasons() {
  local line
  local -a found=()
  ask "select replace(value, chr(10), ' ') from jsonb_array_elements_text(current_setting('annals.reasons')::jsonb);"
  [ -z "$said" ] || mapfile -t found <<<"$said"
  remaining=()
  for line in ${found[@]+"${found[@]}"}; do
    if [ "${1:-}" = forcible ] && is_forced "$line"; then
      continue
    fi
    remaining+=("$line")
  done
  [ "${#remaining[@]}" -gt 0 ]
}

is_forced() {
  local reason
  for reason in ${forced[@]+"${forced[@]}"}; do
    [ "$reason" != "$1" ] || return 0
  done
  return 1
}

refuse() {
  tell refused "$1" "${remaining[@]}"
}

# Does a step with each partition that was named.
with_each() {
  local step=$1
  [ "${#named[@]}" -gt 0 ] || misused 'name a partition'
  begin
  for partition in "${named[@]}"; do
    known
    "$step"
  done
  finish
}
