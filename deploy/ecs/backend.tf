# The replicas. A task is one replica with an edge of its own, so the load balancer sees replicas, and their number can change:
# docs/adr/0028-ecs.md. containers/backend.json has the two containers.
locals {
  secret_arns = { for name, secret in aws_secretsmanager_secret.main : name => secret.arn }

  # The values of the templates in containers/.
  template = {
    registry    = local.registry
    tag         = var.image_tag
    region      = var.region
    name        = var.name
    namespace   = local.namespace
    domain      = var.domain
    mail_domain = var.mail_domain
    vpc_cidr    = var.vpc_cidr
    smtp        = var.smtp
    secrets     = local.secret_arns
    database    = aws_db_instance.main.endpoint
    cache       = "${aws_elasticache_replication_group.main.primary_endpoint_address}:6379"
  }
}

resource "aws_ecs_task_definition" "backend" {
  family                   = "${var.name}-backend"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = local.limits.task.cpu
  memory                   = local.limits.task.memory
  execution_role_arn       = aws_iam_role.execution["backend"].arn
  task_role_arn            = aws_iam_role.task["backend"].arn
  container_definitions = templatefile("${path.module}/containers/backend.json",
  merge(local.template, { log_group = aws_cloudwatch_log_group.task["backend"].name }))

  # The folders that a container may write into although its root file system is read-only. Those of `exec` belong to the agent that serves
  # `aws ecs execute-command`.
  dynamic "volume" {
    for_each = ["edge-state", "exec-agent", "exec-state", "exec-log"]

    content {
      name = volume.value
    }
  }
}

resource "aws_ecs_service" "backend" {
  name                   = "backend"
  cluster                = aws_ecs_cluster.main.id
  task_definition        = aws_ecs_task_definition.backend.arn
  launch_type            = "FARGATE"
  desired_count          = local.replicas_least
  enable_execute_command = true
  wait_for_steady_state  = var.serving

  # New replicas start beside the old ones, as many as run already; no old one stops before a new one is healthy.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 120

  # If the new replicas do not become healthy, ECS returns to the previous task definition, and `terraform apply` fails.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = aws_subnet.private[*].id
    security_groups  = [aws_security_group.role["backend"].id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.edge.arn
    container_name   = "edge"
    container_port   = local.limits.ports.edge
  }

  service_registries {
    registry_arn = aws_service_discovery_service.task["backend"].arn
  }

  depends_on = [aws_lb_listener.https]

  # The number of replicas follows their load (autoscaling.tf).
  lifecycle {
    ignore_changes = [desired_count]
  }
}
