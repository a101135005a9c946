#!/bin/sh
# The demo traffic of docker-compose.yml: k6 with load/demo.js, at a quarter of its rate. A run ends after a day and removes what it has
# created; Compose then starts the next one. Any of these prevents the traffic: DEMO_TRAFFIC=off, production, or platforms that are not the
# simulated ones. The traffic must reach neither real users nor real platforms.
set -eu

idle() {
    echo "no demo traffic: $1"
    # Exiting would restart the container.
    exec tail -f /dev/null
}

case $DEMO_TRAFFIC in
on | true | yes | 1) ;;
off | false | no | 0) idle "DEMO_TRAFFIC is off" ;;
*) idle "DEMO_TRAFFIC must be on or off" ;;
esac
[ "$ENVIRONMENT" != production ] || idle "ENVIRONMENT is production"
[ "$PLATFORMS_FILE" = ./platforms/simulated.toml ] || idle "PLATFORMS_FILE is not that of the simulated platforms"

# The summary and the thresholds would keep every measurement in memory.
exec k6 run --quiet --no-color --no-usage-report --no-summary --no-thresholds /load/demo.js
