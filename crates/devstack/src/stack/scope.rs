//! The extent of a stack: everything, or one part of it (`cargo xtask up --only`). Each extent has its programs, its ports and its slot, so
//! that the parts of one checkout can run side by side. `stack` starts the processes.

use crate::background::Slot;
use crate::ports::Port;
use crate::tools::{
    ALERTMANAGER, BLACKBOX_EXPORTER, CADDY, INITDB, MAILDEV, NODE_EXPORTER, POSTGRES_EXPORTER, PROMETHEUS, REDIS, REDIS_EXPORTER, Tool,
};

/// The slot of `cargo xtask up`: a checkout has at most one running stack.
pub const SLOT: Slot = Slot::new("up");

/// The tools that the whole stack needs.
pub const PROGRAMS: [&Tool; 10] = [
    &INITDB,
    &REDIS,
    &CADDY,
    &PROMETHEUS,
    &ALERTMANAGER,
    &NODE_EXPORTER,
    &POSTGRES_EXPORTER,
    &REDIS_EXPORTER,
    &BLACKBOX_EXPORTER,
    &MAILDEV,
];

/// The extent of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Whole,
    /// Everything but Prometheus, Alertmanager and Grafana, for a proof that brings its own.
    Observed,
    /// Prometheus, Alertmanager, the exporters, the mail sink, the runbooks, and Grafana if it is installed.
    Monitoring,
    /// The replicas, the edge, the simulated platforms, the mail sink and the stores.
    Service,
    /// Postgres and Redis.
    Stores,
    /// One replica, the simulated platforms, the mail sink and the stores: the service without its edge (`cargo xtask dev`).
    Development,
}

impl Scope {
    /// Every extent of `up`, in the order in which `down` stops them: the monitoring before the service, the service before its stores.
    pub const ALL: [Self; 5] = [Self::Whole, Self::Monitoring, Self::Service, Self::Development, Self::Stores];

    /// The slot of a running stack of this extent.
    #[must_use]
    pub const fn slot(self) -> Slot {
        match self {
            Self::Whole => SLOT,
            Self::Observed => Slot::new("observed"),
            Self::Monitoring => Slot::new("up-monitoring"),
            Self::Service => Slot::new("up-service"),
            Self::Stores => Slot::new("up-stores"),
            Self::Development => Slot::new("dev"),
        }
    }

    /// The tools that it needs.
    #[must_use]
    pub fn programs(self) -> &'static [&'static Tool] {
        match self {
            Self::Whole | Self::Observed => &PROGRAMS,
            // Caddy renders the runbooks.
            Self::Monitoring => {
                &[&CADDY, &PROMETHEUS, &ALERTMANAGER, &NODE_EXPORTER, &BLACKBOX_EXPORTER, &POSTGRES_EXPORTER, &REDIS_EXPORTER, &MAILDEV]
            }
            Self::Service => &[&INITDB, &REDIS, &CADDY, &MAILDEV],
            Self::Development => &[&INITDB, &REDIS, &MAILDEV],
            Self::Stores => &[&INITDB, &REDIS],
        }
    }

    /// Whether it has the stores.
    #[must_use]
    pub fn has_stores(self) -> bool {
        self != Self::Monitoring
    }

    /// Whether it has replicas and simulated platforms.
    #[must_use]
    pub fn has_service(self) -> bool {
        matches!(self, Self::Whole | Self::Observed | Self::Service | Self::Development)
    }

    /// Whether it has the edge.
    #[must_use]
    pub fn has_edge(self) -> bool {
        matches!(self, Self::Whole | Self::Observed | Self::Service)
    }

    /// Whether it has the mail sink, which receives the mails of the service and of Alertmanager.
    #[must_use]
    pub fn has_mail_sink(self) -> bool {
        self != Self::Stores
    }

    /// Whether it has the exporters and the page of the runbooks.
    #[must_use]
    pub fn has_exporters(self) -> bool {
        matches!(self, Self::Whole | Self::Observed | Self::Monitoring)
    }

    /// Whether it has Prometheus, Alertmanager and, if it is installed, Grafana.
    #[must_use]
    pub fn has_monitoring(self) -> bool {
        matches!(self, Self::Whole | Self::Monitoring)
    }

    /// Whether a port must be free before this extent starts.
    pub(super) fn has(self, port: Port) -> bool {
        match port {
            Port::Postgres | Port::Redis => self.has_stores(),
            Port::Edge | Port::EdgeTls | Port::CaddyMetrics | Port::CaddyAdmin => self.has_edge(),
            Port::Backend(_) | Port::ProviderSim | Port::Collector | Port::CollectorGrpc | Port::Tempo | Port::Loki => self.has_service(),
            Port::Prometheus | Port::Alertmanager | Port::Grafana => self.has_monitoring(),
            Port::Runbooks | Port::PostgresExporter | Port::RedisExporter | Port::NodeExporter | Port::BlackboxExporter => {
                self.has_exporters()
            }
            // Parts that run side by side share the mail sink of the part that started first.
            Port::MailSmtp | Port::MailPage => matches!(self, Self::Whole | Self::Observed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_includes_its_stores_and_shares_no_port_with_the_monitoring() {
        for port in [Port::Postgres, Port::Redis, Port::Edge, Port::Backend(1), Port::ProviderSim, Port::Prometheus, Port::Runbooks] {
            assert!(Scope::Whole.has(port), "{port:?}");
            assert!(Scope::Service.has(port) != Scope::Monitoring.has(port), "{port:?}");
            assert!(!Scope::Stores.has(port) || Scope::Service.has(port), "{port:?}");
        }
    }

    #[test]
    fn the_parts_together_need_the_programs_of_the_whole() {
        let names = |scope: Scope| scope.programs().iter().map(|tool| tool.name);
        for name in names(Scope::Whole) {
            assert!(names(Scope::Service).chain(names(Scope::Monitoring)).any(|other| other == name), "{name}");
        }
    }
}
