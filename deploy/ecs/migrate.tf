# The migration: a task that runs once before each deployment (release.sh). Replicas would migrate by themselves, but a failed migration
# would then show only as replicas that do not become ready.
resource "aws_ecs_task_definition" "migrate" {
  family                   = "${var.name}-migrate"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution["backend"].arn
  task_role_arn            = aws_iam_role.task["backend"].arn
  container_definitions = templatefile("${path.module}/containers/migrate.json",
  merge(local.template, { log_group = aws_cloudwatch_log_group.task["migrate"].name }))
}
