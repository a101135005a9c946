# Shared by the scripts of this folder: settings, messages, metrics and checks. The others source it; it does nothing by itself.
#
# Settings: BACKUP_FOLDER holds the backups, BACKUP_METRICS the files that node-exporter reads (none without it), BACKUP_SOURCE the
# checkout with `migrations/` and `Cargo.toml`. Postgres is named by libpq's variables, such as PGHOST; PGPASSWORD_FILE is the file of
# its password.
set -euo pipefail
# A backup contains everything that the database does.
umask 077

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${BACKUP_FOLDER:-/backups}
checkout=${BACKUP_SOURCE:-$(dirname "$here")}
# The replication slot of wal.sh. Postgres keeps what the slot has not received yet, up to max_slot_wal_keep_size.
slot=vitrine_backup

fail() {
    echo "error: $*" >&2
    exit 1
}

read_password() {
    [ -n "${PGPASSWORD_FILE:-}" ] || return 0
    [ -r "$PGPASSWORD_FILE" ] || fail "the secret $PGPASSWORD_FILE is missing or cannot be read; it must contain the password of Postgres"
    PGPASSWORD=$(<"$PGPASSWORD_FILE")
    [ -n "$PGPASSWORD" ] || fail "the secret $PGPASSWORD_FILE is empty; it must contain the password of Postgres"
    export PGPASSWORD
}

sql() {
    psql -XAtq -v ON_ERROR_STOP=1 "$@"
}

require_postgres() {
    read_password
    sql -c 'SELECT 1' >/dev/null || fail "Postgres at ${PGHOST:-localhost}:${PGPORT:-5432} does not accept the connection"
}

require_folder() {
    [ -d "$folder" ] || fail "the backup folder $folder does not exist"
    [ -w "$folder" ] || fail "the backup folder $folder is not writable for the user $(id -un)"
}

# The system identifier and the timeline of the running server. Write-ahead logs of two histories must not mix.
history_of_server() {
    sql -c "SELECT system_identifier || '-' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system()"
}

# The value of a number or a text in a manifest.
field() { # BACKUP NAME
    sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" "$1/manifest.json"
}

# The name of a backup is its time, such as 20261130T222349Z. Prints the time in Unix seconds.
time_of() {
    local name=$1
    date -u -d "${name:0:4}-${name:4:2}-${name:6:2} ${name:9:2}:${name:11:2}:${name:13:2}" +%s
}

# The names of the finished backups of a kind, the newest first.
finished() {
    # Before the first backup of a kind, its folder does not exist.
    [ -d "$folder/$1" ] || return 0
    find "$folder/$1" -mindepth 1 -maxdepth 1 -name '[0-9]*T*Z' -printf '%f\n' | sort -r
}

# Makes a finished backup visible. Its bytes are on the disk before its name is, so a name never promises more than there is.
publish() { # PARTIAL FINAL
    find "$1" -type f -exec sync {} +
    sync "$1"
    mv -T "$1" "$2"
    sync "$(dirname "$2")"
}

sample() { # NAME TYPE HELP VALUE
    [ -n "$4" ] || return 0
    printf '# HELP %s %s\n# TYPE %s %s\n%s{kind="%s"} %s\n' "$1" "$3" "$1" "$2" "$1" "$kind" "$4"
}

# The value that a metric of this kind has now, or nothing.
measured() { # NAME
    sed -n "s/^$1{kind=\"$kind\"} //p" "$BACKUP_METRICS/backup_$kind.prom" 2>/dev/null || true
}

# Replaces the metrics of this kind at once. An empty value leaves its metric out.
write_metrics() { # TIMESTAMP SECONDS BYTES FAILURES
    local new="$BACKUP_METRICS/.backup_$kind.new"
    {
        sample backup_last_success_timestamp_seconds gauge 'Time up to which the last good backup has all data.' "$1"
        sample backup_duration_seconds gauge 'Duration of the last good backup.' "$2"
        sample backup_size_bytes gauge 'Size of the last good backup.' "$3"
        sample backup_failures_total counter 'Attempts that made no backup.' "$4"
    } >"$new"
    chmod 644 "$new"
    mv "$new" "$BACKUP_METRICS/backup_$kind.prom"
}

record_success() { # TIMESTAMP SECONDS BYTES
    [ -n "${BACKUP_METRICS:-}" ] || return 0
    local failures
    failures=$(measured backup_failures_total)
    write_metrics "$1" "$2" "$3" "${failures:-0}"
}

record_failure() {
    [ -n "${BACKUP_METRICS:-}" ] || return 0
    local failures
    failures=$(measured backup_failures_total)
    write_metrics "$(measured backup_last_success_timestamp_seconds)" "$(measured backup_duration_seconds)" \
        "$(measured backup_size_bytes)" "$((${failures:-0} + 1))"
}

# Refuses a backup that is unfinished, damaged, or newer than this program.
verify() { # BACKUP FILE...
    local backup=$1 file schema newest
    shift
    [ -d "$backup" ] || fail "there is no backup $backup"
    case $(basename "$backup") in .*) fail "$backup is not a finished backup" ;; esac
    [ -s "$backup/SHA256SUMS" ] || fail "$backup has no SHA256SUMS, so nothing shows that it is whole"
    for file in manifest.json "$@"; do
        grep -q "^[0-9a-f]\{64\}  $file\$" "$backup/SHA256SUMS" || fail "the SHA256SUMS of $backup has no sum of $file"
    done
    (cd "$backup" && sha256sum --check --quiet --strict SHA256SUMS) >&2 \
        || fail "$backup is damaged: a file is missing or differs from its SHA-256 sum; use another backup"
    schema=$(field "$backup" schema)
    [ -n "$schema" ] || fail "the manifest of $backup does not name its schema"
    newest=$(find "$checkout/migrations" -name '*.sql' -printf '%f\n' | sort | tail -1)
    newest=${newest%%_*}
    [ "$schema" -le "${newest:-0}" ] \
        || fail "$backup has the schema $schema, but this program knows schemas up to ${newest:-none}: restore it with a newer version"
}

# Refuses to fill the disk of a folder.
require_space() { # FOLDER BYTES
    local free
    free=$(df --output=avail -B1 "$1" | tail -1)
    [ "$free" -ge "$2" ] || fail "too little space: $1 has $free bytes free, and the restored data needs $2"
}
