# Two kinds of roles: `execution` is ECS itself, which pulls images and reads secrets before a task starts; `task` is what the programs of
# a task may do. Programs may do nothing but open sessions for operators, and Grafana may read metrics of CloudWatch.
data "aws_iam_policy_document" "by_tasks" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

locals {
  # The secrets of each task: the others stay out of reach of a task that is taken over.
  secrets_of = {
    backend      = ["database_url", "redis_url", "metrics_token", "token_keys", "smtp_url"]
    prometheus   = ["metrics_token", "database_password", "cache_password"]
    alertmanager = ["slack_api_url", "pagerduty_routing_key", "smtp_password", "dead_man_url"]
    grafana      = ["grafana_admin_password"]
  }
}

resource "aws_iam_role" "execution" {
  for_each = local.secrets_of

  name               = "${var.name}-${each.key}-execution"
  assume_role_policy = data.aws_iam_policy_document.by_tasks.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  for_each = aws_iam_role.execution

  role       = each.value.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "secrets" {
  for_each = local.secrets_of

  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [for name in each.value : aws_secretsmanager_secret.main[name].arn]
  }

  statement {
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.main.arn]
  }
}

resource "aws_iam_role_policy" "secrets" {
  for_each = local.secrets_of

  name   = "secrets"
  role   = aws_iam_role.execution[each.key].id
  policy = data.aws_iam_policy_document.secrets[each.key].json
}

resource "aws_iam_role" "task" {
  for_each = local.secrets_of

  name               = "${var.name}-${each.key}-task"
  assume_role_policy = data.aws_iam_policy_document.by_tasks.json
}

# What `aws ecs execute-command` needs inside a task.
data "aws_iam_policy_document" "operators" {
  #checkov:skip=CKV_AWS_111:The actions of ssmmessages accept no resource
  #checkov:skip=CKV_AWS_356:The actions of ssmmessages accept no resource
  statement {
    actions = [
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }

  statement {
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.main.arn]
  }

  statement {
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.task["operators"].arn}:*"]
  }

  statement {
    actions   = ["logs:DescribeLogGroups"]
    resources = ["arn:aws:logs:${var.region}:${data.aws_caller_identity.current.account_id}:log-group:*"]
  }
}

resource "aws_iam_role_policy" "operators" {
  for_each = aws_iam_role.task

  name   = "operators"
  role   = each.value.id
  policy = data.aws_iam_policy_document.operators.json
}

# Grafana's data source CloudWatch.
data "aws_iam_policy_document" "cloudwatch" {
  #checkov:skip=CKV_AWS_356:Actions that read metrics accept no resource
  statement {
    actions = [
      "cloudwatch:DescribeAlarms",
      "cloudwatch:GetMetricData",
      "cloudwatch:ListMetrics",
      "ec2:DescribeRegions",
      "tag:GetResources",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "cloudwatch" {
  name   = "cloudwatch"
  role   = aws_iam_role.task["grafana"].id
  policy = data.aws_iam_policy_document.cloudwatch.json
}

# Postgres sends figures of its operating system to CloudWatch.
data "aws_iam_policy_document" "by_database" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "database_monitoring" {
  name               = "${var.name}-database-monitoring"
  assume_role_policy = data.aws_iam_policy_document.by_database.json
}

resource "aws_iam_role_policy_attachment" "database_monitoring" {
  role       = aws_iam_role.database_monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
