#!/bin/sh
# Generates the passwords and keys of the overlay `local` in the folder `secrets` beside this script, and keeps those that exist. As
# compose/make-secrets.sh, which does the same for Compose.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
cd secrets

password() { # hexadecimal, so that it needs no escaping in URLs, JSON and configuration files
    head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

[ -s postgres_password ] || password >postgres_password
[ -s redis_password ] || password >redis_password
[ -s metrics_token ] || password >metrics_token
# Sealed data cannot be opened with another key.
[ -s token_keys ] || head -c 32 /dev/urandom | base64 >token_keys
postgres=$(cat postgres_password)
redis=$(cat redis_password)

printf %s "postgres://vitrine:$postgres@postgres:5432/vitrine" >database_url
printf %s "redis://:$redis@redis:6379/0" >redis_url
printf %s "postgres:5432/vitrine?sslmode=disable" >postgres_exporter_uri
printf '{"redis://redis:6379":"%s"}' "$redis" >redis_exporter_passwords.json
# No mail.
: >smtp_url
# Redis holds nothing that must be kept, as in compose/make-secrets.sh.
cat >redis.conf <<CONF
requirepass $redis
maxmemory 160mb
maxmemory-policy allkeys-lru
save ""
appendonly no
CONF
