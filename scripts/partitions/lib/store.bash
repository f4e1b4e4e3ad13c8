# shellcheck shell=bash
# Where archives lie: a folder, or what a command keeps. An archive is three files: KEY.dump,
# KEY.manifest.json, and KEY.sha256 with the sums of both, in the form of sha256sum. That one is written last:
# without it there is no archive.

# Sets $folder to where new archives are made, and $location to what is noted of them.
open_store() {
  if [ -n "$hook" ]; then
    stage
    folder=$staging location=hook:
    return
  fi
  [ -n "$archives" ] || archives=${ANNALS_ARCHIVES:-}
  [ -n "$archives" ] || misused 'say where archives are kept: --to FOLDER, or --hook COMMAND'
  [ -d "$archives" ] || fail "the folder of the archives is missing: $archives"
  [ -w "$archives" ] || fail "the folder of the archives cannot be written to: $archives"
  folder=$(cd "$archives" && pwd -P)
  location=$folder/
}

stage() {
  staging=${staging:-$(mktemp -d "${TMPDIR:-/tmp}/annals-archive.XXXXXX")}
}

# Runs the command of --hook, whose own arguments are words of it.
run_hook() {
  sh -c "$hook \"\$@\"" hook "$@" </dev/null >&2 2>>"$problems" || fail "--hook: $hook $1 $2 failed: $(tail -n 3 "$problems")"
}

# Where a file is written before it is whole. Of this process alone: a killed one may have left a dump that
# still runs.
unfinished() {
  printf '%s/%s.%s.part' "$folder" "$1" "$$"
}

# Brings a file that is whole to its place.
put() {
  local name=$1 part
  part=$(unfinished "$name")
  sync "$part" || fail "$part could not be written to the disk"
  mv -f "$part" "$folder/$name"
  sync "$folder" || fail "$folder could not be written to the disk"
  if [ -n "$hook" ]; then
    run_hook put "$folder/$name" "$name"
  fi
}

# Where the archive $key is noted to be, or as the options say: its files are in $folder then.
get() {
  local file
  if [ -n "$hook" ]; then
    stage
    folder=$staging location=hook:
    for file in "$key.sha256" "$key.manifest.json" "$key.dump"; do
      rm -f "$folder/$file"
      run_hook get "$file" "$folder/$file"
    done
    return
  fi
  location=$folder/
}

# Sets $key and $folder by what is noted of $partition.
locate() {
  local archive
  ask "select current_setting('annals.found')::jsonb -> 'life' ->> 'archive';"
  archive=$said
  key=${archive##*/}
  key=${key#hook:}
  key=${key%.dump}
  folder=$archives
  [ -n "$archives" ] || folder=${archive%/*}
  if [[ $archive == hook:* ]] && [ -z "$hook$archives" ]; then
    misused "the archive of $partition was stored by a command: name it with --hook"
  fi
}

checksum() {
  { sha256sum <"$1" 2>/dev/null || shasum -a 256 <"$1"; } | cut -c 1-64
}

# Whether the archive $key in $folder is whole: what is wrong stands in $remaining.
check_sums() {
  local file expected actual
  remaining=()
  if [ ! -d "$folder" ]; then
    remaining=("$partition: the folder of the archive is missing: $folder")
    return 1
  fi
  if [ ! -f "$folder/$key.sha256" ]; then
    remaining=("$partition: there is no archive $folder/$key.sha256")
    return 1
  fi
  for file in "$key.dump" "$key.manifest.json"; do
    expected=$(awk -v file="$file" '$2 == file { print $1 }' "$folder/$key.sha256")
    if [ ! -f "$folder/$file" ]; then
      remaining+=("$partition: $folder/$file is missing")
      continue
    fi
    actual=$(checksum "$folder/$file")
    if [ "$expected" != "$actual" ]; then
      remaining+=("$partition: $folder/$file is damaged: its SHA-256 is $actual, and ${expected:-none} in $key.sha256")
    elif [ "$file" = "$key.dump" ]; then
      dump_sha256=$actual
    fi
  done
  [ "${#remaining[@]}" -eq 0 ]
}

# The archive $key, once its sums are right: its manifest is known to the server then.
open_archive() {
  get
  check_sums || return 1
  to_server manifest "$(<"$folder/$key.manifest.json")"
  to_server archive "$location$key.dump"
  to_server archive_sha256 "$dump_sha256"
  to_server archive_bytes "$(wc -c <"$folder/$key.dump" | tr -d ' ')"
}

# Of a dump as pg_restore writes it, the rows of its one COPY, so many megabytes a second. Fails where their end
# is missing, and gives whole rows then too: half a row would be taken for the beginning of what is said next.
rows() {
  # In slices of a twentieth of a second.
  LC_ALL=C awk -v slice="$(($1 * 50000))" '
    !begun { begun = /^COPY .* FROM stdin;$/; next }
    ended { next }
    $0 == "\\." { ended = 1; next }
    held { print row; sent += length(row) + 1 }
    { row = $0; held = 1 }
    slice && sent >= slice { fflush(); system("sleep 0.05"); sent = 0 }
    END { if (!ended) exit 1; if (held) print row }'
}

# Sends the rows of the dump into the table annals.relation, in the transaction that is open: pour MB, which
# is how many of them a second (0: as fast as it goes).
pour() {
  ask "select current_setting('annals.manifest')::jsonb -> 'dump' ->> 'pg_dump';"
  find_dump_tools "$said" 'the dump was made by'
  ask "$(cat "$root/schemas/partitions/pour.sql");"
  # Only the data of the one COPY, since it goes to another table than it says.
  if { printf '%s\n' "$said" && "$pg_restore" --data-only --file=- "$folder/$key.dump" 2>"$problems.restore" \
    | rows "$1"; } >&"$to_session"; then
    rm -f "$problems.restore"
    ask '\.'
    return
  fi
  ask '\.'
  local why
  why=$(tail -n 1 "$problems.restore")
  remaining=("$partition: $folder/$key.dump cannot be read: ${why:-its end is missing}")
  rm -f "$problems.restore"
  return 1
}

# Sets $pg_dump and $pg_restore, those in PATH or of the newest server that is installed here.
find_dump_tools() {
  local needed=$1 there bin major
  while read -r bin; do
    [ -x "$bin/pg_dump" ] && [ -x "$bin/pg_restore" ] || continue
    major=$("$bin/pg_dump" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
    there="${there:-}${there:+, }$bin ($major)"
    if [ "${major:-0}" -ge "$needed" ]; then
      pg_dump=$bin/pg_dump pg_restore=$bin/pg_restore tools_major=$major
      return
    fi
  done < <(postgres_folders)
  fail "$2 PostgreSQL $needed, and no pg_dump and pg_restore here are as new: found ${there:-none}"
}
