# Secrets by reference: Terraform creates them empty and never reads them, so no secret is in its state. An operator sets the values once
# (README.md, "First deployment"); ECS passes them to the containers that name them.
locals {
  secrets = {
    database_url           = "postgres://vitrine:... with sslmode and the authority's certificate"
    database_password      = "Password of the role vitrine, as in database_url, for the exporter"
    redis_url              = "rediss://:... of the cache"
    cache_password         = "Password of the cache, as in redis_url, for the exporter"
    metrics_token          = "Bearer token of the metrics routes, at least 16 characters"
    token_keys             = "Keys that seal tokens of platforms, one per line; never lose them"
    smtp_url               = "Mail server of the service, smtps://user:password@host"
    smtp_password          = "Password of Alertmanager's user at the mail server"
    slack_api_url          = "Incoming webhook of Slack"
    pagerduty_routing_key  = "Integration key of PagerDuty"
    dead_man_url           = "Service outside of AWS that raises an alarm if Watchdog does not call it"
    grafana_admin_password = "Password of Grafana's administrator"
  }
}

resource "aws_secretsmanager_secret" "main" {
  #checkov:skip=CKV2_AWS_57:Most values belong to other services; docs/OPERATIONS.md, "Change passwords", has the steps for the rest
  for_each = local.secrets

  name        = "${var.name}/${each.key}"
  description = each.value
  kms_key_id  = aws_kms_key.main.arn
}
