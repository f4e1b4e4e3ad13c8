# shellcheck shell=bash
# A table goes whose dump was verified.

drop_one() {
  case $is-$state in
    standing-verified) ;;
    gone-*)
      tell nothing "is $state already"
      return
      ;;
    *)
      remaining=("$partition: it is $state")
      refuse 'only a verified partition is dropped'
      return
      ;;
  esac
  archive_of_this_table || return 0
  ask 'begin;'
  to_server told "the table $partition"
  files lock_detached content differences
  if reasons; then
    ask 'rollback;'
    refuse 'the table was written to after it was archived'
    unverified
    return
  fi
  if [ "$dry_run" = yes ]; then
    ask 'rollback;'
    tell would "drop the table; $location$key.dump is equal to it"
    return
  fi
  stop_at drop-compared
  files drop
  to_state dropped
  stop_at drop-done
  ask 'commit;'
  tell 'done' "dropped; $location$key.dump has its events"
}
