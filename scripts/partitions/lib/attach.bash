# shellcheck shell=bash
# A table that left the journal comes back.

attach_one() {
  case $is-$state in
    standing-detached | standing-archived | standing-verified | standing-restored) ;;
    attached-*)
      tell nothing 'is attached already'
      return
      ;;
    *)
      remaining=("$partition: it is $state")
      refuse 'there is no table to attach'
      return
      ;;
  esac
  ask 'begin;'
  files lock_detached
  if [ "$state" != detached ]; then
    ask "select set_config('annals.manifest', jsonb_build_object('content', jsonb_build_object(
      'rows', life -> 'row_count', 'checksum', life -> 'checksum',
      'first_ordering', life -> 'first_ordering', 'last_ordering', life -> 'last_ordering',
      'first_sequence_number', life -> 'first_sequence_number', 'last_sequence_number', life -> 'last_sequence_number'))::text, false)
      from (select current_setting('annals.found')::jsonb -> 'life' as life) as looked;"
    to_server told "the table $partition"
    files content differences
    if reasons forcible; then
      ask 'rollback;'
      refuse 'it was written to since it was archived'
      return
    fi
  fi
  if [ "$dry_run" = yes ]; then
    ask 'rollback;'
    field found bound
    tell would "attach it $said"
    return
  fi
  files attach
  to_state attached
  stop_at attach-done
  ask 'commit;'
  stop_at attach-committed
  tell 'done' 'attached'
}
