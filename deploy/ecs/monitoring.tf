# Prometheus with its exporters, Alertmanager, and Grafana with the runbooks: one task each, from the same files as docker-compose.yml
# (images/Dockerfile). Nothing of this is public: operators reach the pages through a session (README.md, "Operate").
locals {
  monitoring = {
    prometheus   = { cpu = 1024, memory = 2048, volumes = ["configuration"], keeps_data = true }
    alertmanager = { cpu = 256, memory = 512, volumes = ["configuration"], keeps_data = true }
    grafana      = { cpu = 512, memory = 1024, volumes = ["data", "temporary", "pages-state"], keeps_data = false }
  }
}

resource "aws_ecs_task_definition" "monitoring" {
  for_each = local.monitoring

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.execution[each.key].arn
  task_role_arn            = aws_iam_role.task[each.key].arn
  container_definitions = templatefile("${path.module}/containers/${each.key}.json",
  merge(local.template, { log_group = aws_cloudwatch_log_group.task[each.key].name }))

  dynamic "volume" {
    for_each = concat(each.value.volumes, ["exec-agent", "exec-state", "exec-log"])

    content {
      name = volume.value
    }
  }

  dynamic "volume" {
    for_each = each.value.keeps_data ? [aws_efs_access_point.data[each.key].id] : []

    content {
      name = "data"

      efs_volume_configuration {
        file_system_id     = aws_efs_file_system.main.id
        transit_encryption = "ENABLED"

        authorization_config {
          access_point_id = volume.value
          iam             = "ENABLED"
        }
      }
    }
  }
}

resource "aws_ecs_service" "monitoring" {
  for_each = local.monitoring

  name                   = each.key
  cluster                = aws_ecs_cluster.main.id
  task_definition        = aws_ecs_task_definition.monitoring[each.key].arn
  launch_type            = "FARGATE"
  desired_count          = var.serving ? 1 : 0
  enable_execute_command = true

  # The old task stops before the new one starts: two Prometheus processes must never write to one folder.
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = aws_subnet.private[*].id
    security_groups  = [aws_security_group.role[each.key].id]
    assign_public_ip = false
  }

  service_registries {
    registry_arn = aws_service_discovery_service.task[each.key].arn
  }

  depends_on = [aws_efs_mount_target.main]
}
