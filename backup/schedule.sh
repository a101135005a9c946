#!/usr/bin/env bash
# Makes a backup of each kind every BACKUP_EVERY seconds, by default daily, until it is stopped. The time of the newest backup counts, so a
# restart neither skips a backup nor repeats one. After a failure it ends; whatever started it starts it again.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

trap 'exit 0' TERM INT
rest() {
    sleep 60 &
    wait $!
}
while :; do
    for kind in logical base; do
        newest=$(finished "$kind" | head -1)
        due=$(($([ -z "$newest" ] && echo 0 || time_of "$newest") + ${BACKUP_EVERY:-86400}))
        [ "$(date +%s)" -lt "$due" ] || bash "$here/backup.sh" "$kind" || {
            rest
            exit 1
        }
    done
    rest
done
