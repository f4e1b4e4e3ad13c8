# shellcheck shell=bash
# A detached partition is dumped.

archive_one() {
  case $is-$state in
    standing-detached | standing-archived | standing-verified) ;;
    standing-* | gone-*)
      tell nothing "is $state already"
      return
      ;;
    *)
      remaining=("$partition: it is $state")
      refuse 'only a detached partition is archived'
      return
      ;;
  esac
  open_store
  files server
  field server major
  find_dump_tools "$said" 'the server is'
  # Nobody writes to the table from here until the archive is noted.
  ask 'begin;'
  files lock_detached content manifest
  setting key
  key=$said
  if [ "$dry_run" = yes ]; then
    field content rows
    tell would "archive $said events as $location$key.dump"
    ask 'rollback;'
    return
  fi
  if [ -n "$hook" ] || ! check_sums; then
    dump
  fi
  to_server archive "$location$key.dump"
  to_server archive_sha256 "$dump_sha256"
  to_server archive_bytes "$(wc -c <"$folder/$key.dump" | tr -d ' ')"
  stop_at archive-written
  files archived
  ask 'commit;'
  tell 'done' "archived as $location$key.dump"
}

dump() {
  local table bytes part
  # What a killed run has left.
  rm -f "$folder/$key".*.part "$folder/$key.sha256"
  part=$(unfinished "$key.dump")
  ask "select '\"' || replace(found ->> 'schema_name', '\"', '\"\"') || '\".\"' || replace(found ->> 'partition', '\"', '\"\"') || '\"'
    from (select current_setting('annals.found')::jsonb as found) as looked;"
  table=$said
  # Through cat: where a disk is full, pg_dump itself may leave half a file and say that all is well, since
  # it does not look at how its last seek ended.
  if ! { "$pg_dump" --format=custom --no-owner --no-privileges --no-password --strict-names --table="$table" \
    ${url:+--dbname="$url"} | cat >"$part"; } 2>"$problems.dump"; then
    rm -f "$part"
    fail "the dump failed: $(head -n 3 "$problems.dump"; rm -f "$problems.dump")"
  fi
  rm -f "$problems.dump"
  stop_at archive-dumped
  dump_sha256=$(checksum "$part")
  bytes=$(wc -c <"$part" | tr -d ' ')
  put "$key.dump"
  stop_at archive-renamed
  ask "select jsonb_pretty(current_setting('annals.manifest')::jsonb || jsonb_build_object(
    'archived_at', now(), 'archived_by', session_user,
    'dump', jsonb_build_object('file', '$key.dump', 'bytes', $bytes, 'sha256', '$dump_sha256', 'pg_dump', $tools_major)));"
  write "$key.manifest.json" "$said"
  stop_at archive-manifest
  write "$key.sha256" "$dump_sha256  $key.dump
$(checksum "$folder/$key.manifest.json")  $key.manifest.json"
}

write() {
  local part
  part=$(unfinished "$1")
  if ! { printf '%s\n' "$2" >"$part"; } 2>/dev/null; then
    rm -f "$part"
    fail "$part could not be written: is the disk full?"
  fi
  put "$1"
}
