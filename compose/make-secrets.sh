#!/bin/sh
# Generates the passwords and keys for docker-compose.yml at the first start and keeps them at later starts.
# Each file in /run/vitrine belongs to the only user that may read it, so a service that mounts this folder can read only the files of
# its user.
set -eu
umask 077
cd /run/vitrine
chmod 711 .

password() { # hexadecimal, so that it needs no escaping in URLs, JSON and configuration files
    head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

[ -s postgres_password ] || password >postgres_password
[ -s redis_password ] || password >redis_password
[ -s grafana_admin_password ] || password >grafana_admin_password
[ -s provider_sim_client_secret ] || password >provider_sim_client_secret
postgres=$(cat postgres_password)
redis=$(cat redis_password)

# Copies of passwords are rewritten at each start, so that a rotated password reaches every file.
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
# Empty without METRICS_TOKEN: replicas then require no token.
printf %s "${METRICS_TOKEN:-}" | give 65532 metrics_token
printf %s "${METRICS_TOKEN:-}" | give 65534 prometheus_metrics_token
printf '{"redis://redis:6379":"%s"}' "$redis" | give 59000 redis_exporter_passwords.json
# Redis holds nothing that must be kept. So it persists nothing and, when its memory is full, evicts the least recently used keys.
give 999 redis.conf <<CONF
requirepass $redis
maxmemory 160mb
maxmemory-policy allkeys-lru
save ""
appendonly no
CONF
# This copy is in a separate volume and readable by all users, because the Postgres image decides which user reads the password.
printf %s "$postgres" >/run/postgres/password
chmod 444 /run/postgres/password
chmod 755 /run/postgres
# Alertmanager's credentials, separate from the secrets of other services that run as the same user. Existing files are kept, so that
# real credentials survive.
(
    cd /run/alertmanager
    chmod 755 .
    [ -s slack_api_url ] || printf %s http://provider-sim:4100/slack/services/simulated | give 65534 slack_api_url
    [ -s pagerduty_routing_key ] || printf %s 00000000000000000000000simulated | give 65534 pagerduty_routing_key
)
chown 472:0 grafana_admin_password
chown 65532:65532 provider_sim_client_secret
# Written atomically and only once: sealed data cannot be opened with another key.
[ -s token_keys ] || head -c 32 /dev/urandom | base64 | give 65532 token_keys

# A new volume belongs to root, but Caddy, the engine, Tempo, Loki and the backups do not run as root. Members of the
# engine's group may use its socket.
chown 1000:1000 /volumes/caddy-data /volumes/engine-socket
chown 10001:10001 /volumes/tempo-data /volumes/loki-data
# The user of Postgres makes the backups; node-exporter reads their metrics.
chown 999:999 /volumes/backups /volumes/backup-metrics
chmod 700 /volumes/backups
chmod 755 /volumes/backup-metrics
chmod 750 /volumes/engine-socket
