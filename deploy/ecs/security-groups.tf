# Who may connect to whom: one security group for each role, and one rule for each connection. Everything else is refused, also between
# tasks. The roles follow the networks of docker-compose.yml: clients reach only the load balancer, only replicas and exporters reach the
# stores, only the monitoring reaches metrics.
locals {
  roles = {
    load_balancer = "Load balancer: the only way in for clients"
    backend       = "Replicas, each with its edge; also the migration"
    prometheus    = "Prometheus and its exporters"
    alertmanager  = "Alertmanager"
    grafana       = "Grafana and the runbooks"
    files         = "Files of the monitoring"
    database      = "Postgres"
    cache         = "Cache"
  }

  connections = {
    edge                  = { from = "load_balancer", to = "backend", port = local.limits.ports.edge }
    edge_metrics          = { from = "prometheus", to = "backend", port = local.limits.ports.edge_metrics }
    backend_metrics       = { from = "prometheus", to = "backend", port = local.limits.ports.backend }
    backend_database      = { from = "backend", to = "database", port = 5432 }
    backend_cache         = { from = "backend", to = "cache", port = 6379 }
    exporter_database     = { from = "prometheus", to = "database", port = 5432 }
    exporter_cache        = { from = "prometheus", to = "cache", port = 6379 }
    prometheus_alerts     = { from = "prometheus", to = "alertmanager", port = 9093 }
    prometheus_grafana    = { from = "prometheus", to = "grafana", port = 3000 }
    grafana_prometheus    = { from = "grafana", to = "prometheus", port = 9090 }
    grafana_alerts        = { from = "grafana", to = "alertmanager", port = 9093 }
    operator_prometheus   = { from = "backend", to = "prometheus", port = 9090 }
    operator_alertmanager = { from = "backend", to = "alertmanager", port = 9093 }
    operator_grafana      = { from = "backend", to = "grafana", port = 3000 }
    operator_runbooks     = { from = "backend", to = "grafana", port = 3002 }
    prometheus_files      = { from = "prometheus", to = "files", port = 2049 }
    alertmanager_files    = { from = "alertmanager", to = "files", port = 2049 }
  }

  # Roles that reach addresses outside of the network: AWS, platforms, receivers of notifications, mail servers, the service's own domain.
  outgoing = {
    https = { port = 443, roles = ["backend", "prometheus", "alertmanager", "grafana"] }
    mail  = { port = 587, roles = ["backend", "alertmanager"] }
    mails = { port = 465, roles = ["backend", "alertmanager"] }
  }
  outgoing_rules = merge([
    for name, rule in local.outgoing : { for role in rule.roles : "${role}_${name}" => { role = role, port = rule.port } }
  ]...)
}

resource "aws_security_group" "role" {
  #checkov:skip=CKV2_AWS_5:The scan does not follow references by a name that is computed; every role has a resource
  for_each = local.roles

  name        = "${var.name}-${replace(each.key, "_", "-")}"
  description = each.value
  vpc_id      = aws_vpc.main.id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "connection" {
  for_each = local.connections

  description                  = "From ${each.value.from}: ${each.key}"
  security_group_id            = aws_security_group.role[each.value.to].id
  referenced_security_group_id = aws_security_group.role[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "connection" {
  for_each = local.connections

  description                  = "To ${each.value.to}: ${each.key}"
  security_group_id            = aws_security_group.role[each.value.from].id
  referenced_security_group_id = aws_security_group.role[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "outgoing" {
  for_each = local.outgoing_rules

  description       = "To the internet: ${each.key}"
  security_group_id = aws_security_group.role[each.value.role].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

# Plain HTTP only redirects to HTTPS.
resource "aws_vpc_security_group_ingress_rule" "client" {
  #checkov:skip=CKV_AWS_260:The listener at port 80 only redirects to HTTPS
  for_each = { http = 80, https = 443 }

  description       = "From clients: ${each.key}"
  security_group_id = aws_security_group.role["load_balancer"].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}
