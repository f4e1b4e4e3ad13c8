# shellcheck shell=bash
# Private servers and their databases, gone with the script however it ends.

# Not what the caller's own server is called.
unset "${!PG@}" DATABASE_URL ANNALS_ARCHIVES ANNALS_POSTGRES_URL
declare -a others=()
umask 022

settle() {
  local folder
  while read -r folder; do
    if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && [ -x "$folder/pg_dump" ]; then
      bin=$folder
      break
    fi
  done < <(postgres_folders)
  [ -n "${bin:-}" ] || { explain_postgres >&2 && exit 1; }
  major=$("$bin/postgres" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
  # The path of a socket may not be long.
  work=$(mktemp -d /tmp/annals-compare.XXXXXX)
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  user=$(id -un)
  # A server refuses to run as root, and nothing is unwritable for root: tools are run as its user too.
  if [ "$(id -u)" -eq 0 ]; then
    user=postgres
    id postgres >/dev/null 2>&1 || user=nobody
  fi
  chmod 755 "$work"
  chown "$user" "$work"
  cp -R "$root/scripts" "$root/schemas" "$work/"
  chmod -R a+rX "$work/scripts" "$work/schemas"
  cd "$work"
  export PATH="$bin:$PATH"
  install_partman
  serve a
  serve b
  use_server a
  broken_dumps
}

as_server() {
  if [ "$(id -u)" -eq 0 ]; then
    HOME=$work runuser -u "$user" -- "$@"
  else
    HOME=$work "$@"
  fi
}

serve() {
  local folder=$work/server-$1
  as_server mkdir "$folder"
  as_server "$bin/initdb" -D "$folder/data" -U annals -A trust -E UTF8 --locale=C --no-sync >/dev/null
  as_server tee -a "$folder/data/postgresql.conf" >/dev/null <<TEXT
listen_addresses = ''
unix_socket_directories = '$folder'
fsync = off
autovacuum = off
shared_buffers = 64MB
TEXT
  as_server "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -s start
}

use_server() {
  export PGHOST=$work/server-$1 PGUSER=annals PGDATABASE=probe
}

clean_up() {
  local folder
  trap '' INT TERM HUP
  end_others
  cd /
  for folder in "$work"/server-*; do
    if [ -f "$folder/data/postmaster.pid" ]; then
      as_server "$bin/pg_ctl" -D "$folder/data" -m immediate -w -s stop || :
    fi
  done
  rm -rf "$work"
}

# Ends what this script has put into the background.
end_others() {
  local pid
  for pid in ${others[@]+"${others[@]}"}; do
    kill "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
  done
  others=()
}

ask() {
  "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -d "$1" -c "$2"
}

run_file() {
  local database=$1 file=$2
  shift 2
  "$bin/psql" -X -q -v ON_ERROR_STOP=1 -d "$database" "$@" -f "$file" >/dev/null 2>>"$work/notices"
}

# A database in which the journal of a tool is made once, to be copied for each probe.
make_full() {
  ask postgres "create database full_$1"
  run_file "full_$1" "$here/probe.sql"
}

# A copy of it, as $PGDATABASE, and an empty folder for archives.
fresh() {
  use_server a
  ask postgres 'drop database if exists probe with (force)' 2>/dev/null
  ask postgres "create database probe template full_$1"
  chmod -R u+w "$work/archives" 2>/dev/null || :
  rm -rf "$work/archives"
  as_server mkdir "$work/archives"
  archives=$work/archives
}

# The same journal on the other server, from which the oldest partition has gone.
fresh_elsewhere() {
  local tool=$1 forget=$2
  "$bin/pg_dump" -Fc "full_$tool" >"$work/whole.dump"
  use_server b
  ask postgres 'drop database if exists probe with (force)' 2>/dev/null
  ask postgres 'create database probe'
  "$bin/pg_restore" -d probe "$work/whole.dump" 2>>"$work/notices" || :
  ask probe "$forget"
}
