# The cache: Valkey, which speaks the protocol of Redis. It holds nothing that must be kept, so it has no snapshots; its second node keeps
# the service fast when the first one fails.
resource "aws_elasticache_subnet_group" "main" {
  name       = var.name
  subnet_ids = aws_subnet.private[*].id
}

resource "aws_elasticache_parameter_group" "main" {
  name   = "${var.name}-cache"
  family = "valkey8"

  # As in compose/make-secrets.sh.
  parameter {
    name  = "maxmemory-policy"
    value = local.limits.cache.max_memory_policy
  }
}

resource "aws_elasticache_replication_group" "main" {
  #checkov:skip=CKV_AWS_31:README.md, "First deployment", sets the password, so that it is not in the state of Terraform
  #checkov:skip=CKV2_AWS_50:False positive of this check for groups without shards: automatic_failover_enabled is set
  replication_group_id = var.name
  description          = "Cache and events between replicas"
  engine               = "valkey"
  engine_version       = "8.0"
  node_type            = var.cache_class
  num_cache_clusters   = 2
  parameter_group_name = aws_elasticache_parameter_group.main.name
  subnet_group_name    = aws_elasticache_subnet_group.main.name
  security_group_ids   = [aws_security_group.role["cache"].id]

  automatic_failover_enabled = true
  multi_az_enabled           = true
  at_rest_encryption_enabled = true
  kms_key_id                 = aws_kms_key.main.arn
  transit_encryption_enabled = true
  snapshot_retention_limit   = 0

  # Set by an operator, outside of Terraform.
  lifecycle {
    ignore_changes = [auth_token, auth_token_update_strategy]
  }
}
