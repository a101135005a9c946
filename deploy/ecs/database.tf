# Postgres: two instances in two zones, of which the second takes over when the first fails.
resource "aws_db_subnet_group" "main" {
  name       = var.name
  subnet_ids = aws_subnet.private[*].id
}

resource "aws_db_parameter_group" "main" {
  #checkov:skip=CKV2_AWS_30:Logged statements would contain values of rows, such as e-mail addresses
  name_prefix = "${var.name}-"
  family      = "postgres${local.limits.database.version}"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  # As in docker-compose.yml: the detail of an error contains values of rows, such as e-mail addresses. Keep it out of the log.
  parameter {
    name  = "log_error_verbosity"
    value = "terse"
  }

  # More than the replicas need together, also while a deployment doubles their number (tests/contract/ecs.rs).
  parameter {
    name         = "max_connections"
    value        = local.limits.database.max_connections
    apply_method = "pending-reboot"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "main" {
  identifier     = var.name
  engine         = "postgres"
  engine_version = local.limits.database.version
  instance_class = var.database_class
  db_name        = "vitrine"

  # RDS generates this password, keeps it in Secrets Manager and rotates it. Only operators use this user; the service has one of its own.
  username                      = "operator"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = aws_kms_key.main.arn

  storage_type          = "gp3"
  allocated_storage     = var.database_storage.initial
  max_allocated_storage = var.database_storage.limit
  storage_encrypted     = true
  kms_key_id            = aws_kms_key.main.arn

  multi_az                            = true
  db_subnet_group_name                = aws_db_subnet_group.main.name
  vpc_security_group_ids              = [aws_security_group.role["database"].id]
  parameter_group_name                = aws_db_parameter_group.main.name
  publicly_accessible                 = false
  iam_database_authentication_enabled = true

  # Any second of the last two weeks can be restored.
  backup_retention_period    = 14
  copy_tags_to_snapshot      = true
  deletion_protection        = true
  final_snapshot_identifier  = "${var.name}-final"
  auto_minor_version_upgrade = true

  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.database_monitoring.arn
  performance_insights_enabled    = true
  performance_insights_kms_key_id = aws_kms_key.main.arn
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
}
