# shellcheck shell=bash
# The options that all commands share, and those that some of them have.

as_json=no dry_run=no url='' schema='' wait=10000 pace=10 lock_timeout=2000 retries=30
archives='' hook='' manifest_key='' keep_partitions='' keep_days=''
forced=() named=()

# `takes` names the options that this command has beside the common ones.
options() {
  url=${DATABASE_URL:-}
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage && exit ;;
      --json) as_json=yes ;;
      --dry-run) dry_run=yes ;;
      --url) url=$(value "$@"); shift ;;
      --schema) schema=$(value "$@"); shift ;;
      --lock-timeout) lock_timeout=$(number "$@"); shift ;;
      --retries) retries=$(number "$@"); shift ;;
      --wait) allowed wait "$1"; wait=$(number "$@"); shift ;;
      --pace) allowed pace "$1"; pace=$(number "$@"); shift ;;
      --force) allowed force "$1"; forced+=("$(value "$@")"); shift ;;
      --to | --from) allowed archives "$1"; archives=$(value "$@"); shift ;;
      --hook) allowed archives "$1"; hook=$(value "$@"); shift ;;
      --archive) allowed archive "$1"; manifest_key=$(value "$@"); shift ;;
      --keep-partitions) allowed policy "$1"; keep_partitions=$(number "$@"); shift ;;
      --keep-days) allowed policy "$1"; keep_days=$(number "$@"); shift ;;
      --) shift && named+=("$@") && break ;;
      -*) misused "there is no option $1" ;;
      *) named+=("$1") ;;
    esac
    shift
  done
  hide_password
}

usage() {
  printf 'usage: scripts/partitions/%s\n\n%s\n' "$synopsis" "$about"
  printf '\n%s' "$(for option in $takes common; do "help_$option"; done)"
  printf '\n\n%s\n' "$exit_codes"
}

help_wait() {
  cat <<'TEXT'
  --wait MS              wait so long for transactions that have touched a partition (default: 10,000)
TEXT
}

help_pace() {
  cat <<'TEXT'
  --pace MB              write so many megabytes a second into the database, so that nobody's commit waits
                         behind them; 0: as fast as it goes (default: 10)
TEXT
}

help_force() {
  cat <<'TEXT'
  --force REASON         go on in spite of this reason, repeated word for word; may be given again
TEXT
}

help_archives() {
  cat <<'TEXT'
  --to, --from FOLDER    where the archives lie (default: $ANNALS_ARCHIVES)
  --hook COMMAND         keeps them instead: COMMAND put FILE KEY, COMMAND get KEY FILE
TEXT
}

help_archive() {
  cat <<'TEXT'
  --archive KEY          the archive to restore, where this database does not know it: its name without
                         .manifest.json
TEXT
}

help_policy() {
  cat <<'TEXT'
  --keep-partitions N    keep the newest N partitions, in the nested layout of each persistence id
  --keep-days N          keep what was written to within so many days
TEXT
}

help_common() {
  cat <<'TEXT'
  --dry-run              say what would be done, and change nothing
  --json                 one object of JSON a line
  --schema NAME          the schema of the journal (default: as search_path says)
  --url URL              the database (default: $DATABASE_URL, or as PGHOST and its like say)
  --lock-timeout MS      how long a try to lock may take (default: 2,000)
  --retries N            tries to lock (default: 30)
  --help                 this text
TEXT
}

allowed() {
  [[ " $takes " == *" $1 "* ]] || misused "$command has no option $2"
}

value() {
  [ $# -gt 1 ] && [ -n "$2" ] || misused "$1 needs a value" >&2
  printf '%s' "$2"
}

number() {
  [[ ${2:-} =~ ^[0-9]{1,9}$ ]] || misused "$1 needs a number, not \"${2:-}\"" >&2
  printf '%s' "$2"
}

# A password in a URL would stand in the list of processes for all to see.
hide_password() {
  local pattern='^(postgres(ql)?://[^:@/]*):([^@]*)@(.*)$' encoded
  if [[ $url =~ $pattern ]]; then
    encoded=${BASH_REMATCH[3]//\\/\\\\}
    PGPASSWORD=$(printf '%b' "${encoded//%/\\x}")
    export PGPASSWORD
    url=${BASH_REMATCH[1]}@${BASH_REMATCH[4]}
  fi
}
