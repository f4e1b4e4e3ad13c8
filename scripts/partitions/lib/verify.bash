# shellcheck shell=bash
# An archive is read back, and compared with the table from which it comes.

verify_one() {
  local -a differing
  case $is-$state in
    standing-archived | standing-verified) ;;
    gone-* | standing-restored)
      tell nothing "is $state already"
      return
      ;;
    *)
      remaining=("$partition: it is $state")
      refuse 'only an archived partition is verified'
      return
      ;;
  esac
  archive_of_this_table || return 0
  if [ "$dry_run" = yes ]; then
    tell would "read $location$key.dump and compare it with the table"
    return
  fi
  ask 'begin;'
  files scratch
  if ! pour 0; then
    refuse 'its archive is of no use'
    ask 'rollback;'
    unverified
    return
  fi
  to_server told "the archive of $partition"
  files content differences
  reasons || :
  differing=(${remaining[@]+"${remaining[@]}"})
  stop_at verify-poured
  to_server told "the table $partition"
  files lock_detached content differences
  reasons || :
  remaining=(${differing[@]+"${differing[@]}"} ${remaining[@]+"${remaining[@]}"})
  ask 'drop table pg_temp.annals_scratch; commit;'
  if [ "${#remaining[@]}" -gt 0 ]; then
    refuse 'archive, manifest and table are not equal'
    unverified
    return
  fi
  to_state verified
  tell 'done' "verified: $location$key.dump is equal to the table"
}

# Opens the archive that is noted of $partition; refused if it is not whole or not of this table.
archive_of_this_table() {
  locate
  if open_archive; then
    files server belongs
    reasons || return 0
  fi
  refuse 'its archive is of no use'
  unverified
  return 1
}

# What was verified once and is not any more.
unverified() {
  if [ "$dry_run" = no ] && [ "$state" = verified ]; then
    to_state archived
  fi
}
