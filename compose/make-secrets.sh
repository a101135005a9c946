#!/bin/sh
# Makes the passwords and keys of docker-compose.yml at the first start and leaves them alone at every later one.
# Each file belongs to the one user that reads it, so a service that mounts the folder reads its own secrets only.
set -eu
umask 077
cd /run/vitrine
chmod 711 .

password() { # hexadecimal: fits URLs, JSON and configuration files as it is
    head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

[ -s postgres_password ] || password >postgres_password
[ -s redis_password ] || password >redis_password
[ -s grafana_admin_password ] || password >grafana_admin_password
[ -s provider_sim_client_secret ] || password >provider_sim_client_secret
postgres=$(cat postgres_password)
redis=$(cat redis_password)

# Written anew each time, so that a rotated password reaches all of them.
give() { # give UID NAME < content
    cat >"$2.new"
    chmod 400 "$2.new"
    chown "$1:$1" "$2.new"
    mv "$2.new" "$2"
}
printf %s "postgres://vitrine:$postgres@postgres:5432/vitrine" | give 65532 database_url
printf %s "redis://:$redis@redis:6379/0" | give 65532 redis_url
give 65531 provider_sim_own_secret <provider_sim_client_secret
printf %s "$postgres" | give 65534 postgres_exporter_password
# Empty without METRICS_TOKEN: replicas then ask for no token.
printf %s "${METRICS_TOKEN:-}" | give 65532 metrics_token
printf %s "${METRICS_TOKEN:-}" | give 65534 prometheus_metrics_token
printf '{"redis://redis:6379":"%s"}' "$redis" | give 59000 redis_exporter_passwords.json
# Redis holds copies and counters only: bounded, the oldest go first, nothing is kept over a restart.
give 999 redis.conf <<CONF
requirepass $redis
maxmemory 160mb
maxmemory-policy allkeys-lru
save ""
appendonly no
CONF
# In a volume of its own, since which user reads it is the image's choice.
printf %s "$postgres" >/run/postgres/password
chmod 444 /run/postgres/password
chmod 755 /run/postgres
# What Alertmanager is told in files, apart from the secrets of others that run as its user. Whose real ones stand here, keeps them.
(
    cd /run/alertmanager
    chmod 755 .
    [ -s slack_api_url ] || printf %s http://provider-sim:4100/slack/services/simulated | give 65534 slack_api_url
    [ -s pagerduty_routing_key ] || printf %s 00000000000000000000000simulated | give 65534 pagerduty_routing_key
)
chown 472:0 grafana_admin_password
chown 65532:65532 provider_sim_client_secret
# Made whole or not at all, and only once: with another key, what is sealed could not be opened.
[ -s token_keys ] || head -c 32 /dev/urandom | base64 | give 65532 token_keys

# A new volume belongs to root, and neither Caddy nor the engine is root. Who is in the engine's group may use its socket.
chown 1000:1000 /volumes/caddy-data /volumes/engine-socket
chmod 750 /volumes/engine-socket
