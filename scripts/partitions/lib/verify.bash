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
  if ! archive_of_this_table; then
    refuse 'its archive is of no use'
    unverified
    return
  fi
  if [ "$dry_run" = yes ]; then
    tell would "read $location$key.dump and compare it with the table"
    return
  fi
  ask 'begin;'
  files scratch
  if ! pour; then
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

# Opens the archive that is noted of $partition, if it is whole and comes from this table.
archive_of_this_table() {
  locate
  open_archive || return 1
  files server belongs
  ! reasons
}

# What was verified once and is not any more.
unverified() {
  if [ "$dry_run" = no ] && [ "$state" = verified ]; then
    to_state archived
  fi
}
