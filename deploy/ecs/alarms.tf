# Alarms on what Prometheus cannot see or may not be there to report: the load balancer, the stores as AWS sees them, and the monitoring
# itself. Prometheus alerts on everything else, by the same rules as in docker-compose.yml. alarms.json lists the alarms: a limit, and the
# number of minutes for which the metric must be beyond it.
resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.main.id
}

resource "aws_sns_topic_subscription" "alarms" {
  count = var.alarm_address == "" ? 0 : 1

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_address
}

locals {
  alarms = { for alarm in jsondecode(file("${path.module}/alarms.json")) : alarm.name => alarm }

  # The subjects of alarms, in CloudWatch's terms.
  dimensions = merge(
    { for name in keys(local.secrets_of) : name => { ClusterName = aws_ecs_cluster.main.name, ServiceName = name } },
    {
      load_balancer = { LoadBalancer = aws_lb.main.arn_suffix }
      replicas      = { LoadBalancer = aws_lb.main.arn_suffix, TargetGroup = aws_lb_target_group.edge.arn_suffix }
      database      = { DBInstanceIdentifier = aws_db_instance.main.identifier }
      cache_1       = { CacheClusterId = "${aws_elasticache_replication_group.main.replication_group_id}-001" }
      cache_2       = { CacheClusterId = "${aws_elasticache_replication_group.main.replication_group_id}-002" }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "main" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.why
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = local.dimensions[each.value.of]
  statistic           = each.value.statistic == "p95" ? null : each.value.statistic
  extended_statistic  = each.value.statistic == "p95" ? "p95" : null
  comparison_operator = each.value.comparison
  threshold           = each.value.limit
  period              = 60
  evaluation_periods  = each.value.minutes
  datapoints_to_alarm = each.value.minutes
  actions_enabled     = var.serving
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  # Without requests, the load balancer reports no counts, which is no fault. If nothing counts tasks, none is running.
  treat_missing_data = each.value.namespace == "ECS/ContainerInsights" ? "breaching" : "notBreaching"
}
