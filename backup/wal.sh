#!/usr/bin/env bash
# Receives the write-ahead log of Postgres as it is written, until it is stopped. With it and a base backup, restore-base.sh returns to any
# moment. A log that is received is on this disk: Postgres and its disk may then be lost.
# It ends when the connection does; whatever started it starts it again.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

kind=wal
receiver=
end() {
    local status=$?
    trap - EXIT
    [ -z "$receiver" ] || kill "$receiver" 2>/dev/null || true
    # A stop is no failure.
    [ "$status" = 0 ] || record_failure
    exit "$status"
}
trap end EXIT
trap 'exit 0' TERM INT

require_folder
require_postgres
logs=$folder/wal/$(history_of_server)
mkdir -p "$logs"
pg_receivewal --slot="$slot" --create-slot --if-not-exists --no-password
pg_receivewal --slot="$slot" --directory="$logs" --synchronous --no-loop --status-interval=5 --no-password &
receiver=$!

while kill -0 "$receiver" 2>/dev/null; do
    written=$(sql -c 'SELECT pg_current_wal_flush_lsn()')
    at=$(date +%s)
    sleep "${BACKUP_WAL_CHECK:-15}" &
    wait $! || true
    # Everything that was written then is on this disk now.
    received=$(sql -c "SELECT count(*) FROM pg_stat_replication JOIN pg_replication_slots ON pid = active_pid
                       WHERE slot_name = '$slot' AND flush_lsn >= '$written'")
    [ "$received" = 0 ] || record_success "$at" '' "$(du -sb "$logs" | cut -f1)"
done
fail "the connection to Postgres ended, so its log is not being received"
