# Names and numbers that several files use.
locals {
  # tests/contract/ecs.rs compares these numbers with docker-compose.yml, the Caddyfile and each other.
  limits = jsondecode(file("${path.module}/limits.json"))

  namespace = "${var.name}.internal"
  registry  = "${data.aws_caller_identity.current.account_id}.dkr.ecr.${var.region}.amazonaws.com/${var.name}"

  replicas_least = var.serving ? local.limits.replicas.least : 0
  replicas_most  = var.serving ? local.limits.replicas.most : 0
}

data "aws_caller_identity" "current" {}
