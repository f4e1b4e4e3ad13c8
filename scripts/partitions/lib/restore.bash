# shellcheck shell=bash
# The table of a dropped partition is made from its archive.

restore_one() {
  case $is-$state in
    gone-dropped) locate ;;
    standing-*)
      tell nothing "is there: $state"
      return
      ;;
    *)
      remaining=("$partition: it is $state")
      refuse 'only a dropped partition is restored'
      return
      ;;
  esac
  restore_archive
}

# The archive $key, which may come from another server.
restore_archive() {
  if ! open_archive; then
    refuse 'its archive is of no use'
    return
  fi
  if [ -z "$partition" ]; then
    field manifest partition
    partition=$said
  fi
  files restorable
  if reasons; then
    refuse 'it cannot be restored here'
    return
  fi
  if [ "$dry_run" = yes ]; then
    field manifest bound
    tell would "restore $location$key.dump as a table with the bounds $said"
    return
  fi
  ask 'begin;'
  files restore_table
  stop_at restore-made
  if ! pour "$pace"; then
    ask 'rollback;'
    refuse 'its archive is of no use'
    return
  fi
  to_server told "the archive of $partition"
  files content differences
  if reasons; then
    ask 'rollback;'
    refuse 'what was read is not what was archived'
    return
  fi
  stop_at restore-poured
  files restored
  ask 'commit;'
  tell 'done' 'restored as a table by itself'
}
