//! The table that `up` prints: the addresses and credentials of a stack.

use std::fs;

use anyhow::Result;

use super::Stack;
use crate::engine;
use crate::http;
use crate::ports::Port;
use crate::tools::GRAFANA;

impl Stack {
    /// The URLs and credentials, one per line.
    pub fn table(&self) -> Result<String> {
        let mut rows = Vec::new();
        if self.scope.has_service() {
            self.add_service(&mut rows)?;
        }
        if self.scope.has_monitoring() {
            self.add_monitoring(&mut rows)?;
        }
        if self.scope.has_mail_sink() {
            rows.push(("Mail sink", self.plan.ports.page(Port::MailPage)?));
        }
        if self.scope.has_stores() {
            for (name, file) in [("Postgres", "database_url"), ("Redis", "redis_url")] {
                rows.push((name, fs::read_to_string(self.secrets().join(file))?));
            }
        }
        if let Some(root) = http::trusted() {
            rows.push(("Trust this authority", root.display().to_string()));
        }
        rows.push(("Logs", self.logs.display().to_string()));
        Ok(rows.iter().map(|(name, value)| row(name, value)).collect())
    }

    fn add_service(&self, rows: &mut Vec<(&str, String)>) -> Result<()> {
        let ports = &self.plan.ports;
        rows.push(("Vitrine", ports.page(Port::Edge)?));
        rows.push(("API documentation", format!("{}/api/docs/", ports.page(Port::Edge)?)));
        rows.push(("Operator's page", format!("{}/operator", ports.page(Port::Edge)?)));
        rows.push(("Simulated platforms", ports.page(Port::ProviderSim)?));
        for number in 1..=self.plan.replicas {
            rows.push(("Replica", ports.url(Port::Backend(number))?));
        }
        let environments = self.plan.engine.as_ref().map_or_else(
            || "simulated".to_owned(),
            |engine| format!("Docker Engine {}, containers {}-*", engine.version, engine::namespace(&self.plan.folder)),
        );
        rows.push(("Environments", environments));
        if ports.has_tracing() {
            rows.push(("Traces", format!("{}  (cargo xtask trace slowest)", ports.url(Port::Tempo)?)));
        }
        Ok(())
    }

    fn add_monitoring(&self, rows: &mut Vec<(&str, String)>) -> Result<()> {
        let ports = &self.plan.ports;
        rows.push(("Prometheus", ports.page(Port::Prometheus)?));
        rows.push(("Alertmanager", ports.page(Port::Alertmanager)?));
        rows.push(("Runbooks", ports.page(Port::Runbooks)?));
        if GRAFANA.find().is_some() {
            rows.push(("Grafana", format!("{}  (admin, {})", ports.page(Port::Grafana)?, self.password)));
        }
        Ok(())
    }
}

/// A line of the table.
pub(super) fn row(name: &str, value: &str) -> String {
    format!("{name:19} {value}\n")
}
