#!/usr/bin/env bash
# Makes one backup of Postgres and drops those that need not be kept any longer.
#   backup.sh logical    the rows, by pg_dump: restored by restore.sh, also into a newer version of Postgres
#   backup.sh base       the files of the server, by pg_basebackup: with the logs of wal.sh, restore-base.sh returns to any moment
# A backup is a folder with a manifest and SHA-256 sums. It has a temporary name until it is whole and on the disk.
# Kept are all backups of the last 24 hours, and the newest of each of the last BACKUP_DAYS days and BACKUP_WEEKS weeks with a backup.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

kind=${1:-}
case $kind in logical | base) ;; *) fail "usage: backup.sh logical|base" ;; esac
start=$(date +%s)
name=$(date -u -d "@$start" +%Y%m%dT%H%M%SZ)
partial=

finish() {
    local status=$?
    trap - EXIT
    [ -z "$partial" ] || rm -rf "$partial"
    [ "$status" = 0 ] || record_failure || echo "error: the metrics of backups could not be written to $BACKUP_METRICS" >&2
    exit "$status"
}
trap finish EXIT
trap 'exit 143' TERM INT

dump() {
    PARTIAL=$partial sql -v kind=logical -v time="$name" -v program="$program" -v history= -f "$here/logical.sql" \
        >"$partial/manifest.json" || fail "the rows could not be read or written; there is no new backup, and the older ones are as they were"
    [ -e "$partial/dumped" ] || fail "pg_dump did not finish; there is no new backup, and the older ones are as they were"
    rm "$partial/dumped"
    pg_restore --list "$partial/database.dump" >/dev/null || fail "pg_restore cannot read the new dump"
}

copy() {
    pg_basebackup --pgdata="$partial/data" --wal-method=stream --checkpoint=fast --manifest-checksums=SHA256 --no-password \
        || fail "pg_basebackup did not finish; there is no new backup, and the older ones are as they were"
    pg_verifybackup --quiet "$partial/data" || fail "the new base backup does not agree with its own manifest"
    sql -v kind=base -v time="$name" -v program="$program" -v history="$(history_of_server)" -v count_rows=NULL::jsonb \
        -f "$here/manifest.sql" >"$partial/manifest.json" || fail "the manifest of the new base backup could not be written"
}

# Drops old backups. After a pause of a month, it drops none of those before: only days and weeks with a backup count.
prune() {
    local days=${BACKUP_DAYS:-7} weeks=${BACKUP_WEEKS:-4} last_day='' last_week='' name day week keep
    for name in $(finished "$kind"); do
        day=${name%T*} week=$(date -u -d "${name%T*}" +%G%V) keep=
        [ "$((start - $(time_of "$name")))" -ge 86400 ] || keep=1
        if [ "$day" != "$last_day" ]; then
            last_day=$day days=$((days - 1))
            [ "$days" -lt 0 ] || keep=1
        fi
        if [ "$week" != "$last_week" ]; then
            last_week=$week weeks=$((weeks - 1))
            [ "$weeks" -lt 0 ] || keep=1
        fi
        if [ -z "$keep" ]; then
            mv "$folder/$kind/$name" "$folder/$kind/.dropped-$name"
            rm -rf "$folder/$kind/.dropped-$name"
        fi
    done
}

# Drops the logs that no base backup needs: those before the oldest base backup of their history.
prune_logs() {
    local logs oldest first
    for logs in "$folder"/wal/*/; do
        [ -d "$logs" ] || continue
        oldest=
        for name in $(finished base); do
            [ "$(field "$folder/base/$name" history)" != "$(basename "$logs")" ] || oldest=$name
        done
        if [ -z "$oldest" ]; then
            rm -rf "$logs"
            continue
        fi
        first=$(sed -n 's/^START WAL LOCATION: .* (file \([0-9A-F]*\))$/\1/p' "$folder/base/$oldest/data/backup_label")
        pg_archivecleanup "$logs" "$first"
    done
}

require_folder
exec 9>"$folder/.lock"
flock --nonblock 9 || fail "another backup is being made in $folder"
require_postgres
[ -n "$(sql -c "SELECT to_regclass('_sqlx_migrations')")" ] || fail "the database has no tables of Vitrine: nothing was backed up"
program=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$checkout/Cargo.toml")

mkdir -p "$folder/$kind"
# What a killed backup left.
find "$folder/$kind" -mindepth 1 -maxdepth 1 -name '.*' -exec rm -rf {} +
partial=$folder/$kind/.partial-$name
mkdir "$partial"
case $kind in
    logical)
        dump
        payload=database.dump
        ;;
    base)
        copy
        payload=data/backup_manifest
        ;;
esac
(cd "$partial" && sha256sum manifest.json "$payload" >SHA256SUMS) \
    || fail "the sums could not be written; there is no new backup, and the older ones are as they were"
[ ! -e "$folder/$kind/$name" ] || fail "there is already a backup of this second: $folder/$kind/$name"
publish "$partial" "$folder/$kind/$name"
partial=
prune
[ "$kind" != base ] || prune_logs
size=$(du -sb "$folder/$kind/$name" | cut -f1)
record_success "$start" "$(($(date +%s) - start))" "$size"
echo "$folder/$kind/$name"
