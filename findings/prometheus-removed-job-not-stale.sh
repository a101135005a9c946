#!/bin/sh
# Prometheus (Debian package prometheus, 2.42): a reload marks the series of a removed target stale, but not those of a removed job.
#
# Expected: when a scrape target is removed, its series end soon after, however it was removed. The documentation says that if "a target is
#   removed, its previously returned time series will be marked as stale soon afterward".
# Actual: a target that a reload removes from a job has no `up` a few seconds later. A job that the same reload removes keeps `up` at 1, and
#   every series it had, until the lookback delta has passed (15 s here, 5 minutes by default). So `absent(up{job="…"})`, and rules over
#   such a job, see it as healthy for minutes after it was removed.
# Source: https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness
# Needs the package prometheus; installs it if it is missing and the script runs as root.
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
command -v prometheus >/dev/null || apt-get install --yes --quiet=2 --no-install-recommends prometheus >/dev/null
work=$(mktemp -d)
pids=
trap 'for pid in $pids; do kill "$pid" 2>/dev/null; done; wait; rm -rf "$work"' EXIT INT TERM
prometheus --version 2>&1 | head -n 1
listen=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# Prometheus scrapes itself as three targets: two of the job `kept`, one of the job `removed`.
configure() { # configure TARGETS JOBS
    {
        echo 'global: {scrape_interval: 1s}'
        echo 'scrape_configs:'
        echo '  - job_name: kept'
        echo "    static_configs: [{targets: [$1]}]"
        [ "$2" = 1 ] || printf '  - job_name: removed\n    static_configs: [{targets: ["127.0.0.1:%s"]}]\n' "$listen"
    } >"$work/prometheus.yml"
}
configure "\"127.0.0.1:$listen\", \"localhost:$listen\"" 2
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" --web.listen-address="127.0.0.1:$listen" \
    --web.enable-lifecycle --query.lookback-delta=15s >"$work/log" 2>&1 &
pids="$pids $!"
count() { # count QUERY: the number of series that it returns
    curl -s --data-urlencode "query=count($1)" "http://127.0.0.1:$listen/api/v1/query" | sed -n 's/.*"value":\[[^,]*,"\([0-9]*\)"\].*/\1/p'
}
until_count() { # until_count QUERY COUNT SECONDS: succeeds if the query returns that many series within that time
    for _ in $(seq "$(($3 * 10))"); do
        [ "$(count "$1")" != "$2" ] || return 0
        sleep 0.1
    done
    return 1
}
until_count 'up == 1' 3 30 || { echo "the targets were not scraped"; cat "$work/log"; exit 1; }
configure "\"127.0.0.1:$listen\"" 1
curl -s -X POST "http://127.0.0.1:$listen/-/reload"
target=kept job=kept
until_count "up{job=\"kept\",instance=\"localhost:$listen\"}" '' 8 && target=ended
[ -n "$(count 'up{job="removed"} == 1')" ] || job=ended
later=kept
until_count 'up{job="removed"}' '' 30 && later=ended
echo "after the reload: series of the removed target '$target', of the removed job '$job'; after the lookback delta '$later'"
[ "$target" = ended ] && [ "$job" = kept ] && [ "$later" = ended ]
