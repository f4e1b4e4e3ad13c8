# shellcheck shell=bash
# A partition leaves the journal.

detach_one() {
  case $is-$state in
    attached-*) ;;
    pending-*)
      if [ "$dry_run" = yes ]; then
        tell would 'an interrupted detaching would be finished'
        return
      fi
      leave
      return
      ;;
    *)
      tell nothing "is $state already"
      return
      ;;
  esac
  files obstacles
  if reasons; then
    refuse 'it cannot be detached'
    return
  fi
  files guards
  if reasons forcible; then
    refuse 'it is still needed'
    return
  fi
  files open_transactions
  if reasons forcible; then
    refuse 'it is in use'
    return
  fi
  if [ "$dry_run" = yes ]; then
    ask "$(cat "$root/schemas/partitions/detach.sql");"
    tell would "$said"
    return
  fi
  files begin_detach
  stop_at detach-intent
  leave
}

leave() {
  ask "set lock_timeout = $lock_timeout;"
  run_what_is_said_by detach
  ask 'reset lock_timeout;'
  stop_at detach-done
  to_state detached
  tell 'done' 'detached'
}
