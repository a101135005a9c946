#!/usr/bin/env bash
# Restores a logical backup into the running Postgres.
#   restore.sh BACKUP [--replace]
# Restores into a new database, compares every row with the manifest, and only then gives it the name of the database. With --replace, a
# database that is not empty makes room: it keeps its rows under another name. Stop the replicas first, and Redis after it: its copies of
# rows are those of the lost database.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

backup= replace=
for argument in "$@"; do
    case $argument in
        --replace) replace=1 ;;
        -*) fail "unknown option $argument; usage: restore.sh BACKUP [--replace]" ;;
        *) backup=${argument%/} ;;
    esac
done
[ -n "$backup" ] || fail "usage: restore.sh BACKUP [--replace]"
# The dump itself names its backup, too.
[ ! -f "$backup" ] || backup=$(dirname "$backup")

now=$(date -u +%Y%m%d%H%M%S)
database=${PGDATABASE:?PGDATABASE must name the database}
fresh=${database}_restoring_$now
old=${database}_before_$now
exists=false begun=

finish() {
    local status=$?
    trap - EXIT
    if [ -n "$begun" ]; then
        sql -c "DROP DATABASE IF EXISTS \"$fresh\"" || echo "error: the database $fresh is half restored: drop it" >&2
        [ "$exists" = false ] || sql -c "ALTER DATABASE \"$database\" WITH ALLOW_CONNECTIONS true" || true
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 143' TERM INT

verify "$backup" database.dump
export PGDATABASE=postgres
require_postgres
[ -z "$(sql -c "SELECT 1 FROM pg_database WHERE datname = '$database'")" ] || exists=true
tables=0
if [ "$exists" = true ]; then
    tables=$(PGDATABASE=$database sql -c "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
fi
[ "$tables" = 0 ] || [ -n "$replace" ] \
    || fail "the database $database is not empty: it has $tables tables. With --replace, it is kept as $old and replaced"
data=$(sql -c 'SHOW data_directory')
size=$(field "$backup" size_bytes)
if [ -d "$data" ]; then
    # A tenth more, for the write-ahead log of the restore.
    require_space "$data" "$((size + size / 10))"
else
    echo "note: the disk of Postgres is not visible here; the restored data needs about $size bytes there"
fi

begun=1
sql -c "CREATE DATABASE \"$fresh\" TEMPLATE template0"
pg_restore --dbname="$fresh" --exit-on-error --single-transaction --no-owner --no-privileges "$backup/database.dump" \
    || fail "pg_restore did not finish; the database $database is as it was"
different=$(PGDATABASE=$fresh sql -v manifest="$(<"$backup/manifest.json")" -f "$here/compare.sql")
[ -z "$different" ] || fail "restored rows differ from the manifest of $backup in: $different; the database $database is as it was"
sql -v exists="$exists" -v database="$database" -v fresh="$fresh" -v old="$old" -f "$here/swap.sql"
begun=
echo "restored $backup: $(field "$backup" time), schema $(field "$backup" schema)"
if [ "$exists" = true ] && [ "$tables" = 0 ]; then
    sql -c "DROP DATABASE \"$old\""
elif [ "$exists" = true ]; then
    echo "the former rows are in the database $old; when they are not needed: dropdb $old"
fi
