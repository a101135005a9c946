#!/bin/sh
# Prometheus (Debian package prometheus, 2.42): a scrape over `label_limit` hides how large it was; one over `sample_limit` does not.
#
# Expected: the automatic series `scrape_samples_scraped` and `scrape_samples_post_metric_relabeling` mean the same for every dropped
#   scrape. The documentation says that a scrape which exceeds either limit "will be treated as failed", in the same words.
# Actual: both targets expose 21 samples. Over `sample_limit: 20` the series report 21 and 21, so an alert can name the size as the cause.
#   Over `label_limit: 5`, which only the first sample exceeds (7 labels with its name, `job` and `instance`; the others have 4),
#   counting stops at that sample: the series report 1 and 0. So an alert that finds dropped scrapes by their size misses this limit.
# Source: https://prometheus.io/docs/concepts/jobs_instances/#automatically-generated-labels-and-time-series and
#   https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config
# Needs the package prometheus; installs it if it is missing and the script runs as root.
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
command -v prometheus >/dev/null || apt-get install --yes --quiet=2 --no-install-recommends prometheus >/dev/null
work=$(mktemp -d)
pids=
trap 'for pid in $pids; do kill "$pid" 2>/dev/null; done; wait; rm -rf "$work"' EXIT INT TERM
prometheus --version 2>&1 | head -n 1
{
    # The HTTP server serves the file as it is: the sample with many labels comes first.
    echo 'a_metric{a="1",b="2",c="3",d="4"} 1'
    for number in $(seq 20); do echo "another_metric{number=\"$number\"} 1"; done
} >"$work/metrics"
cat >"$work/target.py" <<'PY'
import functools, http.server, sys
class Target(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Target, directory=sys.argv[1]))
with open(sys.argv[2], "w") as port:
    port.write(str(server.server_port))
server.serve_forever()
PY
python3 "$work/target.py" "$work" "$work/port" &
pids="$pids $!"
until [ -s "$work/port" ]; do sleep 0.1; done
cat >"$work/prometheus.yml" <<YML
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: samples
    sample_limit: 20
    static_configs: [{targets: ["127.0.0.1:$(cat "$work/port")"]}]
  - job_name: labels
    label_limit: 5
    static_configs: [{targets: ["127.0.0.1:$(cat "$work/port")"]}]
YML
listen=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" --web.listen-address="127.0.0.1:$listen" >"$work/log" 2>&1 &
pids="$pids $!"
value() { # value QUERY: its single value, or nothing
    curl -s --data-urlencode "query=$1" "http://127.0.0.1:$listen/api/v1/query" | sed -n 's/.*"value":\[[^,]*,"\([0-9.]*\)"\].*/\1/p'
}
for _ in $(seq 300); do
    [ -z "$(value 'up{job="samples"}')" ] || [ -z "$(value 'up{job="labels"}')" ] || break
    sleep 0.1
done
for job in samples labels; do
    eval "$job=\"$(value "up{job=\"$job\"}") $(value "scrape_samples_scraped{job=\"$job\"}") $(value "scrape_samples_post_metric_relabeling{job=\"$job\"}")\""
done
echo "up, scraped, after relabelling: over sample_limit '$samples', over label_limit '$labels'"
[ "$samples" = "0 21 21" ] && [ "$labels" = "0 1 0" ]
