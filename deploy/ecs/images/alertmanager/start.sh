#!/bin/sh
# Starts Alertmanager on ECS: writes the secrets into files, and the configuration of docker-compose.yml with real receivers instead of
# those marked `local` (docs/OPERATIONS.md, "Real receivers").
set -eu
umask 077
: "${SMTP_HOST:?}" "${SMTP_USER:?}" "${MAIL_DOMAIN:?}"
: "${SMTP_PASSWORD:?}" "${SLACK_API_URL:?}" "${PAGERDUTY_ROUTING_KEY:?}" "${DEAD_MAN_URL:?}"
source=${CONFIGURATION:-/etc/alertmanager}
target=${RUN_FOLDER:-/run/alertmanager}

# The text with a backslash before each character that sed would interpret.
plain() { printf %s "$1" | sed 's/[&|\\]/\\&/g'; }
write() { printf %s "$2" >"$target/$1"; }
write smtp_password "$SMTP_PASSWORD"
write slack_api_url "$SLACK_API_URL"
write pagerduty_routing_key "$PAGERDUTY_ROUTING_KEY"
sed -E -f "$source/ecs/ecs.sed" "$source/alertmanager.yml" |
    sed -e "s|@SMTP_HOST@|$(plain "$SMTP_HOST")|" -e "s|@SMTP_USER@|$(plain "$SMTP_USER")|" \
        -e "s|@MAIL_DOMAIN@|$(plain "$MAIL_DOMAIN")|" -e "s|@DEAD_MAN_URL@|$(plain "$DEAD_MAN_URL")|" >"$target/alertmanager.yml"
unset SMTP_PASSWORD SLACK_API_URL PAGERDUTY_ROUTING_KEY DEAD_MAN_URL
exec "${ALERTMANAGER:-/bin/alertmanager}" "$@"
