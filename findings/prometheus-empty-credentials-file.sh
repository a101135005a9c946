#!/bin/sh
# Prometheus (Debian package prometheus, 2.42): an empty `credentials_file` is sent as an empty token.
#
# Expected: a scrape whose credentials file is empty either fails, as one whose file is missing does, or is sent without the header.
# Actual: the scrape is made with the header `Authorization: Bearer` and no token after it, and succeeds if the target requires no token.
#   So the same configuration works with and without a token, and only the target notices that a file was emptied.
# Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config
# Needs the package prometheus; installs it if it is missing and the script runs as root.
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
command -v prometheus >/dev/null || apt-get install --yes --quiet=2 --no-install-recommends prometheus >/dev/null
work=$(mktemp -d)
pids=
trap 'for pid in $pids; do kill "$pid" 2>/dev/null; done; wait; rm -rf "$work"' EXIT INT TERM
prometheus --version 2>&1 | head -n 1
cat >"$work/target.py" <<'PY'
import http.server, sys
class Target(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(sys.argv[1], "a") as seen:
            seen.write("[%s]\n" % self.headers.get("Authorization"))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"a_metric 1\n")
    def log_message(self, *arguments):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Target)
with open(sys.argv[2], "w") as port:
    port.write(str(server.server_port))
server.serve_forever()
PY
python3 "$work/target.py" "$work/seen" "$work/port" &
pids="$pids $!"
until [ -s "$work/port" ]; do sleep 0.1; done
: >"$work/token"
cat >"$work/prometheus.yml" <<YML
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: target
    authorization: {credentials_file: $work/token}
    static_configs: [{targets: ["127.0.0.1:$(cat "$work/port")"]}]
YML
listen=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" --web.listen-address="127.0.0.1:$listen" >"$work/log" 2>&1 &
pids="$pids $!"
up=
for _ in $(seq 300); do
    up=$(curl -s "http://127.0.0.1:$listen/api/v1/query?query=up" | sed -n 's/.*"value":\[[^,]*,"\([01]\)"\].*/\1/p')
    [ -z "$up" ] || break
    sleep 0.1
done
echo "header: $(head -n 1 "$work/seen"); up: $up"
[ "$(head -n 1 "$work/seen")" = "[Bearer]" ] && [ "$up" = 1 ]
