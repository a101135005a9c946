#!/usr/bin/env bash
# Saves folders of programs that are stopped, such as that of Prometheus, and returns them.
#   folders.sh save NAME=FOLDER...
#   folders.sh return BACKUP NAME=FOLDER...
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage="usage: folders.sh save NAME=FOLDER... | folders.sh return BACKUP NAME=FOLDER..."
verb=${1:-}
case $verb in save | return) shift ;; *) fail "$usage" ;; esac
partial=
trap '[ -z "$partial" ] || rm -rf "$partial"' EXIT
trap 'exit 143' TERM INT

save() {
    local name pair program
    require_folder
    name=$(date -u +%Y%m%dT%H%M%SZ)
    mkdir -p "$folder/folders"
    partial=$folder/folders/.partial-$name
    rm -rf "$folder"/folders/.partial-*
    mkdir "$partial"
    for pair in "$@"; do
        [ -d "${pair#*=}" ] || fail "there is no folder ${pair#*=}"
        # Prometheus removes this file when it has written everything and ends.
        [ ! -e "${pair#*=}/lock" ] || fail "${pair#*=} is in use: stop Prometheus first. If it was killed, start it and stop it"
        tar --create --file="$partial/${pair%%=*}.tar" --directory="${pair#*=}" . \
            || fail "${pair#*=} could not be saved; there is no new backup, and the older ones are as they were"
    done
    (cd "$partial" && sha256sum ./*.tar >SHA256SUMS)
    publish "$partial" "$folder/folders/$name"
    partial=
    echo "$folder/folders/$name"
}

return_to() {
    local backup=${1%/} pair target
    shift
    [ -s "$backup/SHA256SUMS" ] || fail "$backup has no SHA256SUMS, so nothing shows that it is whole"
    (cd "$backup" && sha256sum --check --quiet --strict SHA256SUMS) >&2 \
        || fail "$backup is damaged: a file is missing or differs from its SHA-256 sum; use another backup"
    for pair in "$@"; do
        target=${pair#*=}
        [ -f "$backup/${pair%%=*}.tar" ] || fail "$backup has no folder ${pair%%=*}"
        mkdir -p "$target"
        [ -z "$(ls -A "$target")" ] || fail "the folder $target is not empty: stop its program and empty it first"
        # A volume cannot be renamed, so its contents are.
        partial=$target/.restoring
        mkdir "$partial"
        tar --extract --file="$backup/${pair%%=*}.tar" --directory="$partial" --same-owner --preserve-permissions \
            || fail "$backup could not be unpacked into $target"
        chmod --reference="$partial" "$target"
        find "$partial" -mindepth 1 -maxdepth 1 -exec mv -t "$target" {} +
        rmdir "$partial"
        partial=
    done
    echo "returned $backup"
}

[ $# -gt 0 ] || fail "$usage"
if [ "$verb" = save ]; then save "$@"; else return_to "$@"; fi
