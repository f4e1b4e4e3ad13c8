# shellcheck shell=bash
# What a script needs before it can begin. Source this, then call `require` with any of
#   cargo      Rust
#   linker     cc, which links what cargo builds
#   postgres   the programs of a PostgreSQL server
#   psql       its client
#   pgbouncer  a pooler, for the tests of what goes through one
#   the linter of scripts is asked for as shellcheck
# The linker, PostgreSQL and PgBouncer are installed where that needs no question: with apt-get, as root or by
# a sudo that asks for no password. Whatever is missing then is named, and the script exits with 1. What a
# script can do without it asks for by `wish`, which says what is missing and fails.

readonly oldest_postgres=14

require() {
  local need missing=()
  for need in "$@"; do
    "have_$need" || "install_$need" || missing+=("$need")
  done
  [ "${#missing[@]}" -eq 0 ] && return
  for need in "${missing[@]}"; do
    "explain_$need"
    printf '\n'
  done >&2
  exit 1
}

wish() {
  "have_$1" || "install_$1" && return
  "explain_$1" >&2
  return 1
}

have_cargo() {
  command -v cargo >/dev/null && return
  # rustup puts cargo there, and only a new login shell knows.
  local folder="${CARGO_HOME:-${HOME:-}/.cargo}/bin"
  [ -x "$folder/cargo" ] && export PATH="$folder:$PATH"
}

# A toolchain in somebody's home folder is theirs to choose.
install_cargo() {
  return 1
}

explain_cargo() {
  cat <<TEXT
missing: cargo, the build tool of Rust
  looked in: PATH, ${CARGO_HOME:-~/.cargo}/bin
  install it: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh
TEXT
}

have_linker() {
  command -v cc >/dev/null
}

install_linker() {
  may_install || return
  printf 'No C linker was found: installing the packages gcc and libc6-dev.\n' >&2
  apt_get update && apt_get install gcc libc6-dev && have_linker
}

explain_linker() {
  cat <<TEXT
missing: cc, the C compiler by which Rust links its programs
  looked in: PATH
  Debian, Ubuntu: sudo apt-get install gcc libc6-dev
  Fedora:         sudo dnf install gcc
  macOS:          xcode-select --install
  not installed by this script: $may_not_install
TEXT
}

have_postgres() {
  local folder major
  too_old=''
  while read -r folder; do
    [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] || continue
    major=$("$folder/postgres" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
    [ "${major:-0}" -ge "$oldest_postgres" ] && return
    too_old="$too_old${too_old:+, }$folder ($major)"
  done < <(postgres_folders)
  return 1
}

# The places where the crate annals-postgres looks too.
postgres_folders() {
  local folder
  printf '%s\n' "${ANNALS_POSTGRES_BIN:-}"
  tr ':' '\n' <<<"$PATH"
  if command -v pg_config >/dev/null; then
    pg_config --bindir
  fi
  for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin \
    /opt/homebrew/opt/postgresql*/bin; do
    printf '%s\n' "$folder"
  done
}

install_postgres() {
  may_install || return
  cat >&2 <<'TEXT'
No PostgreSQL server was found: installing the package postgresql.
No cluster is created and no server is started by that; private ones are, and go again.
TEXT
  apt_get update && apt_get install postgresql-common && without_cluster apt_get install postgresql
  have_postgres
}

# The package postgresql would create a cluster and start it: not during this one command.
without_cluster() (
  setting=/etc/postgresql-common/createcluster.d/annals.conf
  trap 'as_root rm -f "$setting"' EXIT
  as_root mkdir -p "${setting%/*}"
  printf 'create_main_cluster = false\n' | as_root tee "$setting" >/dev/null
  "$@"
)

explain_postgres() {
  cat <<TEXT
missing: the programs of a PostgreSQL server (initdb, postgres), version $oldest_postgres or newer
  looked in: \$ANNALS_POSTGRES_BIN (${ANNALS_POSTGRES_BIN:-not set}), PATH, what pg_config --bindir says,
             /usr/lib/postgresql/*/bin, /usr/pgsql-*/bin, /usr/local/pgsql/bin,
             /opt/homebrew/opt/postgresql*/bin
  too old:   ${too_old:-none was found}
  Debian, Ubuntu: sudo apt-get install postgresql
  Fedora:         sudo dnf install postgresql-server postgresql-contrib
  macOS:          brew install postgresql@17
  elsewhere:      set ANNALS_POSTGRES_BIN to the folder that holds initdb
  not installed by this script: $may_not_install
TEXT
}

# A client of its own package, or the one beside the server.
have_psql() {
  local folder
  command -v psql >/dev/null && return
  while read -r folder; do
    if [ -x "$folder/psql" ]; then
      export PATH="$folder:$PATH"
      return
    fi
  done < <(postgres_folders)
  return 1
}

install_psql() {
  may_install || return
  printf 'psql was not found: installing the package postgresql-client.\n' >&2
  apt_get update && apt_get install postgresql-client && have_psql
}

explain_psql() {
  cat <<TEXT
missing: psql, the client of PostgreSQL
  looked in: PATH, and where the programs of a server are
  Debian, Ubuntu: sudo apt-get install postgresql-client
  Fedora:         sudo dnf install postgresql
  macOS:          brew install libpq
  not installed by this script: $may_not_install
TEXT
}

# Where the tests look too.
have_pgbouncer() {
  local folder
  while read -r folder; do
    [ -x "$folder/pgbouncer" ] && return
  done < <(tr ':' '\n' <<<"$PATH:/usr/sbin:/usr/local/sbin")
  return 1
}

install_pgbouncer() {
  may_install || return
  printf 'PgBouncer was not found: installing the package pgbouncer, without its service.\n' >&2
  apt_get update && without_services apt_get install pgbouncer && have_pgbouncer
}

# The package would start a pooler of its own, now and whenever the machine starts.
without_services() (
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod +x "$policy"
  fi
  "$@" || return
  if command -v systemctl >/dev/null; then
    as_root systemctl disable --quiet pgbouncer 2>/dev/null || true
  fi
)

explain_pgbouncer() {
  cat <<TEXT
missing: pgbouncer, which tests put before the server
  looked in: PATH, /usr/sbin, /usr/local/sbin
  Debian, Ubuntu: sudo apt-get install pgbouncer
  Fedora:         sudo dnf install pgbouncer
  macOS:          brew install pgbouncer
  not installed by this script: $may_not_install
TEXT
}

# Sets may_not_install, the reason, where it fails.
have_shellcheck() {
  command -v shellcheck >/dev/null
}

install_shellcheck() {
  may_install || return
  printf 'shellcheck was not found: installing it.\n' >&2
  apt_get update && apt_get install shellcheck && have_shellcheck
}

explain_shellcheck() {
  cat <<TEXT
missing: shellcheck, which looks over the scripts
  Debian, Ubuntu: sudo apt-get install shellcheck
  not installed by this script: $may_not_install
TEXT
}

may_install() {
  may_not_install='apt-get did not bring it, see above'
  if ! command -v apt-get >/dev/null; then
    may_not_install='there is no apt-get on this system'
    return 1
  fi
  if [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; then
    may_not_install='this user is not root, and has no sudo without a password'
    return 1
  fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq --yes --no-install-recommends \
    -o Dpkg::Use-Pty=0 "$@" >&2
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}
