//! The services that have ports: their names and ports in compose's files, their default ports on this machine, and the variables that
//! override these.

/// A port of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The edge, plain HTTP.
    Edge,
    /// The edge, HTTPS.
    EdgeTls,
    /// Caddy's metrics.
    CaddyMetrics,
    /// Caddy's administration.
    CaddyAdmin,
    /// A replica, counted from 1.
    Backend(u16),
    /// Postgres, which only clients with a password may use.
    Postgres,
    /// Redis, also with a password.
    Redis,
    /// Prometheus' page and API.
    Prometheus,
    /// Alertmanager's page and API.
    Alertmanager,
    /// Grafana, if it is installed.
    Grafana,
    /// The page of the runbooks.
    Runbooks,
    /// Metrics of Postgres.
    PostgresExporter,
    /// Metrics of Redis.
    RedisExporter,
    /// Metrics of the machine.
    NodeExporter,
    /// Metrics of requests through the edge.
    BlackboxExporter,
    /// The mail sink's SMTP port.
    MailSmtp,
    /// The mail sink's page.
    MailPage,
    /// The simulated platforms.
    ProviderSim,
    /// The collector of traces and logs: OTLP over HTTP.
    Collector,
    /// The same collector: OTLP over gRPC, which nothing here uses.
    CollectorGrpc,
    /// The store of traces: Tempo's API.
    Tempo,
    /// The store of log lines: Loki's API.
    Loki,
}

impl Port {
    /// All ports of a stack.
    pub(super) fn all(replicas: u16) -> Vec<Self> {
        let mut all = vec![
            Self::Edge,
            Self::EdgeTls,
            Self::CaddyMetrics,
            Self::CaddyAdmin,
            Self::Postgres,
            Self::Redis,
            Self::Prometheus,
            Self::Alertmanager,
            Self::Grafana,
            Self::Runbooks,
            Self::PostgresExporter,
            Self::RedisExporter,
            Self::NodeExporter,
            Self::BlackboxExporter,
            Self::MailSmtp,
            Self::MailPage,
            Self::ProviderSim,
            Self::Collector,
            Self::CollectorGrpc,
            Self::Tempo,
            Self::Loki,
        ];
        all.extend((1..=replicas).map(Self::Backend));
        all
    }

    /// Host and port in compose's files.
    fn in_compose(self) -> (String, u16) {
        let (host, port) = match self {
            Self::Edge => ("caddy", 8080),
            Self::EdgeTls => ("caddy", 8443),
            Self::CaddyMetrics => ("caddy", 2020),
            Self::CaddyAdmin => ("caddy", 2019),
            Self::Backend(number) => return (format!("backend-{number}"), 4000 + number),
            Self::Postgres => ("postgres", 5432),
            Self::Redis => ("redis", 6379),
            Self::Prometheus => ("prometheus", 9090),
            Self::Alertmanager => ("alertmanager", 9093),
            Self::Grafana => ("grafana", 3000),
            Self::Runbooks => ("runbooks", 3002),
            Self::PostgresExporter => ("postgres-exporter", 9187),
            Self::RedisExporter => ("redis-exporter", 9121),
            Self::NodeExporter => ("node-exporter", 9100),
            Self::BlackboxExporter => ("blackbox-exporter", 9115),
            Self::MailSmtp => ("maildev", 1025),
            Self::MailPage => ("maildev", 1080),
            Self::ProviderSim => ("provider-sim", 4100),
            Self::Collector => ("otel-collector", 4318),
            Self::CollectorGrpc => ("otel-collector", 4317),
            Self::Tempo => ("tempo", 3200),
            Self::Loki => ("loki", 3100),
        };
        (host.to_owned(), port)
    }

    /// `host:port` as in compose's files.
    #[must_use]
    pub fn name(self) -> String {
        let (host, port) = self.in_compose();
        format!("{host}:{port}")
    }

    /// The default port of `up`: the one that compose publishes, or else the one inside the container. Postgres, Redis and the exporters
    /// get a number 10000 higher, so that they do not collide with Postgres, Redis and exporters that already run on the machine.
    pub(super) fn fixed(self) -> u16 {
        let (_, port) = self.in_compose();
        match self {
            Self::Grafana => 3001,
            Self::Postgres | Self::Redis | Self::PostgresExporter | Self::RedisExporter | Self::NodeExporter | Self::BlackboxExporter => {
                10_000 + port
            }
            _ => port,
        }
    }

    /// Whether only a stack with traces uses the port.
    pub(super) fn is_of_tracing(self) -> bool {
        matches!(self, Self::Collector | Self::CollectorGrpc | Self::Tempo | Self::Loki)
    }

    /// The variable that overrides the port. Compose and `up` read the same variable.
    pub(crate) fn variable(self) -> Option<&'static str> {
        Some(match self {
            Self::Edge => "EDGE_HTTP_PORT",
            Self::EdgeTls => "EDGE_HTTPS_PORT",
            Self::Prometheus => "PROMETHEUS_PORT",
            Self::Alertmanager => "ALERTMANAGER_PORT",
            Self::Grafana => "GRAFANA_PORT",
            Self::Runbooks => "RUNBOOKS_PORT",
            Self::MailPage => "MAIL_PORT",
            Self::ProviderSim => "PROVIDER_SIM_PORT",
            Self::Tempo => "TEMPO_PORT",
            Self::Loki => "LOKI_PORT",
            Self::Backend(1) => "BACKEND_1_PORT",
            Self::Backend(2) => "BACKEND_2_PORT",
            Self::Backend(3) => "BACKEND_3_PORT",
            _ => return None,
        })
    }
}
