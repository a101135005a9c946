# Turns the configuration of docker-compose.yml into that of a deployment on ECS: other targets, the same limits and relabelling.
# start.sh replaces @NAME@, @NAMESPACE@ and @DOMAIN@.

s/^    cluster: vitrine$/    cluster: @NAME@/
s/^    environment: local$/    environment: production/
s#^  - rules/#  - /etc/prometheus/rules/#

# Fargate has no machine to look at, and no engine. CloudWatch has the figures of tasks.
/^  # If environments run in the machine/d
/^  # The containers of this Compose project/,/^  # Stacks of/d
/^  - job_name: (node|cadvisor)$/,/^$/d

# The deployment has none of the services of the profiles `tracing` and `logs`.
/^  # The services of the profiles/,/have no job\.$/d
/^  - job_name: (otel-collector|tempo|loki)$/,/^$/d

# Replicas and their edges: the private name server has the addresses of the running tasks.
/^    static_configs:$/{
N
s/^.*\[backend-1:4001, .*$/    dns_sd_configs:\
      - {names: [backend.@NAMESPACE@], type: A, port: 4001, refresh_interval: 15s}/
s/^.*\[caddy:2020\]$/    dns_sd_configs:\
      - {names: [backend.@NAMESPACE@], type: A, port: 2020, refresh_interval: 15s}/
}
# Every edge has one replica, at 127.0.0.1. The label `upstream` must name that replica as `instance` does.
/port: 2020/{
N
s/$/\
      - source_labels: [instance, upstream]\
        regex: "([^:]+):2020;127[.]0[.]0[.]1(:4001)"\
        target_label: upstream\
        replacement: $1$2\
        action: replace/
}

# The exporters run in the task of Prometheus.
s/\[prometheus:9090\]$/[localhost:9090]/
s/\[postgres-exporter:9187\]$/[localhost:9187]/
s/\[redis-exporter:9121\]$/[localhost:9121]/
s/replacement: blackbox-exporter:9115$/replacement: localhost:9115/
s/\[(alertmanager|grafana):([0-9]+)\]$/[\1.@NAMESPACE@:\2]/

# The probes use the address that clients use.
s#http://caddy:8080/#https://@DOMAIN@/#
s#\[caddy:8443\]#[@DOMAIN@:443]#
s#: tls_internal\}#: tls}#
