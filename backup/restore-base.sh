#!/usr/bin/env bash
# Puts a base backup into the data folder of a Postgres that is not running, so that its next start replays the received write-ahead log.
#   restore-base.sh BACKUP DATA_FOLDER [--until-time TIME | --until-lsn LSN]
# Without a limit, Postgres replays everything that was received. With one, it stops just before; if the log does not reach that far, it
# refuses to start. Then Postgres begins a new history: make a base backup of it soon.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage="usage: restore-base.sh BACKUP DATA_FOLDER [--until-time TIME | --until-lsn LSN]"
[ $# = 2 ] || [ $# = 4 ] || fail "$usage"
backup=${1%/} data=${2%/} limit='' value=${4:-}
case ${3:-} in
    '') ;;
    --until-time) limit=recovery_target_time ;;
    --until-lsn) limit=recovery_target_lsn ;;
    *) fail "unknown option $3; $usage" ;;
esac
case $folder$value in *[\'\"%\\]*) fail "neither the path of the backups nor the limit may contain quotes, % or backslashes" ;; esac

partial=$data.restoring
trap 'rm -rf "$partial"' EXIT
trap 'exit 143' TERM INT

verify "$backup" data/backup_manifest
pg_verifybackup --quiet "$backup/data" || fail "$backup is damaged: a file differs from its SHA-256 sum; use another backup"
[ -z "$(ls -A "$data" 2>/dev/null)" ] || fail "the data folder $data is not empty: stop Postgres and move it away first"
logs=$folder/wal/$(field "$backup" history)
[ -d "$logs" ] || fail "there are no write-ahead logs for $backup: $logs does not exist"
parent=$(dirname "$data")
[ -d "$parent" ] || fail "the folder $parent does not exist"
require_space "$parent" "$(du -sb "$backup/data" | cut -f1)"

rm -rf "$partial"
cp -r "$backup/data" "$partial"
settings=$partial/postgresql.auto.conf
# Those of an earlier return.
sed -i '/^restore_command\|^recovery_target/d' "$settings"
# The files of other histories of this server matter, too: the new history gets a number that no other has.
cat >>"$settings" <<CONF
restore_command = 'cp "${logs%-*}"-*/%f "%p" || cp "${logs%-*}"-*/%f.partial "%p"'
recovery_target_timeline = 'current'
recovery_target_action = 'promote'
CONF
[ -z "$limit" ] || printf "%s = '%s'\nrecovery_target_inclusive = false\n" "$limit" "$value" >>"$settings"
touch "$partial/recovery.signal"
[ "$(id -u)" != 0 ] || chown -R --reference="$parent" "$partial"
chmod 700 "$partial"
publish "$partial" "$data"
echo "restored $backup into $data; start Postgres, which replays its log${limit:+ until just before $value}"
