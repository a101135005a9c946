# The cluster, the private name server that Prometheus asks for the addresses of tasks, and the logs.
resource "aws_ecs_cluster" "main" {
  name = var.name

  # CPU, memory and the number of tasks: the alarms and the dashboards use them.
  setting {
    name  = "containerInsights"
    value = "enabled"
  }

  configuration {
    execute_command_configuration {
      kms_key_id = aws_kms_key.main.arn
      logging    = "OVERRIDE"

      # Every command of an operator, with its output.
      log_configuration {
        cloud_watch_encryption_enabled = true
        cloud_watch_log_group_name     = aws_cloudwatch_log_group.task["operators"].name
      }
    }
  }
}

resource "aws_service_discovery_private_dns_namespace" "main" {
  name        = local.namespace
  description = "Addresses of the running tasks"
  vpc         = aws_vpc.main.id
}

resource "aws_service_discovery_service" "task" {
  for_each = toset(["backend", "prometheus", "alertmanager", "grafana"])

  name = each.key

  dns_config {
    namespace_id = aws_service_discovery_private_dns_namespace.main.id
    # Up to eight addresses in one answer: the limit of limits.json, "replicas".
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      ttl  = 10
    }
  }
}

resource "aws_cloudwatch_log_group" "task" {
  #checkov:skip=CKV_AWS_338:Logs are for operations; a year of them would keep what users deleted long ago (log_days)
  for_each = toset(["backend", "migrate", "prometheus", "alertmanager", "grafana", "operators"])

  name              = "/${var.name}/${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = aws_kms_key.main.arn
}
