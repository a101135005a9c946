# What operators and release.sh need to know of a deployment.
output "url" {
  description = "Address of the service"
  value       = "https://${var.domain}"
}

output "load_balancer" {
  description = "Name to which the domain must point, if zone_id is empty"
  value       = aws_lb.main.dns_name
}

output "registry" {
  description = "Prefix of the images"
  value       = local.registry
}

output "cluster" {
  description = "Name of the ECS cluster"
  value       = aws_ecs_cluster.main.name
}

output "migration" {
  description = "Task definition and network of the migration, for `aws ecs run-task`"
  value = {
    task_definition = aws_ecs_task_definition.migrate.arn
    network = {
      awsvpcConfiguration = {
        subnets        = aws_subnet.private[*].id
        securityGroups = [aws_security_group.role["backend"].id]
        assignPublicIp = "DISABLED"
      }
    }
  }
}

output "database" {
  description = "Address of Postgres, for the secret database_url, and the secret with the password of the user operator"
  value = {
    endpoint = aws_db_instance.main.endpoint
    secret   = aws_db_instance.main.master_user_secret[0].secret_arn
  }
}

output "cache" {
  description = "Address of the cache, for the secret redis_url"
  value       = "${aws_elasticache_replication_group.main.primary_endpoint_address}:6379"
}
