#!/bin/sh
# Starts Prometheus on ECS: writes its configuration from that of docker-compose.yml, with the addresses of this deployment (ecs.sed) and
# the token for the replicas' metrics.
set -eu
umask 077
: "${NAME:?}" "${NAMESPACE:?}" "${DOMAIN:?}" "${METRICS_TOKEN:?}"
source=${CONFIGURATION:-/etc/prometheus}
target=${RUN_FOLDER:-/run/vitrine}

printf %s "$METRICS_TOKEN" >"$target/prometheus_metrics_token"
unset METRICS_TOKEN
sed -E -f "$source/ecs/ecs.sed" "$source/prometheus.yml" |
    sed -e "s/@NAMESPACE@/$NAMESPACE/" -e "s/@DOMAIN@/$DOMAIN/" -e "s/@NAME@/$NAME/" >"$target/prometheus.yml"
exec "${PROMETHEUS:-/bin/prometheus}" "$@"
