# A dashboard in CloudWatch, for the time when Grafana does not run. Grafana's dashboard AWS shows the same figures
# (images/grafana/aws.json).
locals {
  balancer = ["LoadBalancer", aws_lb.main.arn_suffix]
  postgres = ["DBInstanceIdentifier", aws_db_instance.main.identifier]
  nodes    = [for number in [1, 2] : ["CacheClusterId", "${aws_elasticache_replication_group.main.replication_group_id}-00${number}"]]

  graphs = {
    "Replicas: CPU and memory, percent" = [for metric in ["CPUUtilization", "MemoryUtilization"] :
      ["AWS/ECS", metric, "ClusterName", var.name, "ServiceName", "backend"]
    ]
    "Running tasks" = [for name in keys(local.secrets_of) :
      ["ECS/ContainerInsights", "RunningTaskCount", "ClusterName", var.name, "ServiceName", name]
    ]
    "Requests and errors per minute" = [
      for metric in ["RequestCount", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"] :
      concat(["AWS/ApplicationELB", metric], local.balancer, [{ stat = "Sum" }])
    ]
    "Response time, seconds" = [for statistic in ["p50", "p95", "p99"] :
      concat(["AWS/ApplicationELB", "TargetResponseTime"], local.balancer, [{ stat = statistic }])
    ]
    "Healthy and unhealthy replicas" = [for metric in ["HealthyHostCount", "UnHealthyHostCount"] :
      concat(["AWS/ApplicationELB", metric, "TargetGroup", aws_lb_target_group.edge.arn_suffix], local.balancer)
    ]
    "Postgres: CPU, percent"          = [concat(["AWS/RDS", "CPUUtilization"], local.postgres)]
    "Postgres: connections"           = [concat(["AWS/RDS", "DatabaseConnections"], local.postgres)]
    "Postgres: free storage, bytes"   = [concat(["AWS/RDS", "FreeStorageSpace"], local.postgres)]
    "Postgres: read and write, s"     = [for metric in ["ReadLatency", "WriteLatency"] : concat(["AWS/RDS", metric], local.postgres)]
    "Cache: memory in use, percent"   = [for node in local.nodes : concat(["AWS/ElastiCache", "DatabaseMemoryUsagePercentage"], node)]
    "Cache: CPU of its node, percent" = [for node in local.nodes : concat(["AWS/ElastiCache", "EngineCPUUtilization"], node)]
  }
}

resource "aws_cloudwatch_dashboard" "main" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for index, title in keys(local.graphs) : {
      type       = "metric"
      x          = 12 * (index % 2)
      y          = 6 * floor(index / 2)
      width      = 12
      height     = 6
      properties = { title = title, region = var.region, period = 60, stat = "Average", metrics = local.graphs[title] }
    }]
  })
}
