# Turns the configuration of docker-compose.yml into that of a deployment on ECS: real receivers instead of simulated ones. start.sh
# replaces the words between @.

/^  pagerduty_url: .*# local$/d
s/^  smtp_smarthost: .*# local$/  smtp_smarthost: "@SMTP_HOST@"\
  smtp_auth_username: "@SMTP_USER@"\
  smtp_auth_password_file: \/run\/alertmanager\/smtp_password/
/^  smtp_require_tls: .*# local$/d
s/@vitrine\.example/@@MAIL_DOMAIN@/
s#^  - templates/#  - /etc/alertmanager/templates/#

# The receiver of alerts for information has no webhook, only mail.
/^  - name: log$/,/^    email_configs:$/{
/^    webhook_configs:$/d
/# local$/d
/^        send_resolved: true$/d
}

# A service outside of AWS, which raises an alarm when Watchdog stops calling it.
s|url: http://provider-sim:4100/webhook # local$|url: "@DEAD_MAN_URL@"|
