# Holds one PostgreSQL server for one owner, which is at the other end of the pipe that is our
# standard input. When the pipe closes, even because the owner was killed, the server stops and the
# room goes. Runs as the user of the server.
#
#   keeper ROOM DATA INITDB SYNC POSTGRES [ARGUMENT...]
#
# ROOM holds the socket and what must go at the end; "exited" appears there when the server (or
# initdb) has ended. Orders, one a line: "immediate" stops without a checkpoint, as a crash would;
# "start" starts again. The end of the pipe is the order to stop for good.

room=$1 data=$2 initdb=$3 sync=$4
shift 4

# Only the pipe ends us: a server without its keeper would stay behind for ever.
trap '' HUP INT TERM
exec 3<&0 </dev/null

prepare() {
    [ -e "$data" ] && return
    fresh=$data.new-$$
    # By rename, so that a folder is either whole or not there.
    "$initdb" --pgdata="$fresh" --username=postgres --auth-local=trust --auth-host=reject \
        --encoding=UTF8 --locale=C $sync 3<&- && mv "$fresh" "$data" || { rm -rf "$fresh"; return 1; }
    # Somebody else was faster, and ours was moved into theirs.
    rm -rf "$data/${fresh##*/}"
}

# A signal that comes before the server listens to signals is lost, so it is repeated.
end() {
    while kill -"$1" "$server" 2>/dev/null; do sleep 0.1; done
}

serve() {
    "$@" 3<&- &
    server=$!
    {
        read -r order <&3
        if [ "$order" = immediate ]; then end QUIT; else end INT; fi
    } &
    listener=$!
    wait "$server"
    note="postgres $?"
    { kill -KILL "$listener"; wait "$listener"; } 2>/dev/null
}

while :; do
    if prepare; then serve "$@"; else note="initdb failed"; fi
    # By rename, so that nobody reads half a note.
    echo "$note" >"$room/exited.new" && mv "$room/exited.new" "$room/exited"
    while read -r order <&3; do [ "$order" = start ] && continue 2; done
    break
done
rm -rf "$room"
