//! monitoring/slo.yml as it is read: the fields of sloth's `prometheus/v1` that Vitrine uses. Any other is refused, because it
//! would do nothing.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::Deserialize;

use crate::paths;
use crate::rules::read as read_yaml;

/// The form that is understood.
const VERSION: &str = "prometheus/v1";
/// Where a query says how far it looks back.
const WINDOW: &str = "{{.window}}";

/// The one alert of all objectives, which has one runbook.
pub const ALERT: &str = "ErrorBudgetBurn";

/// Names and what they stand for.
pub type Texts = BTreeMap<String, String>;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    version: String,
    /// Who promises.
    pub service: String,
    /// What is promised.
    pub slos: Vec<Slo>,
}

/// One objective.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// Unique.
    pub name: String,
    /// Percentage of good events.
    pub objective: f64,
    /// A good event in words, without a full stop.
    pub description: String,
    /// Of everything that follows from the objective.
    pub labels: Texts,
    /// How it is measured.
    pub sli: Sli,
    /// How it is told.
    pub alerting: Alerting,
}

/// How an objective is measured.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sli {
    /// In events.
    pub events: Events,
}

/// Rates of events, with a place for the window.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    error_query: String,
    total_query: String,
}

/// How a burning budget is told.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerting {
    name: String,
    /// Beside the description.
    pub annotations: Texts,
    /// What is for now.
    pub page_alert: Told,
    /// What is for this week.
    pub ticket_alert: Told,
}

/// How urgent an alert is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Of the alert.
    pub labels: Texts,
}

impl Slo {
    /// The share of events that may be errors.
    pub fn budget(&self) -> f64 {
        1.0 - self.objective / 100.0
    }

    /// Labels of the objective's recorded series.
    pub fn labels(&self, service: &str) -> Texts {
        let own = [("service".to_owned(), service.to_owned()), ("slo".to_owned(), self.name.clone())];
        own.into_iter().chain(self.labels.clone()).collect()
    }
}

impl Events {
    /// The rate of errors over a window.
    pub fn errors(&self, window: &str) -> String {
        self.error_query.replace(WINDOW, window)
    }

    /// The rate of all events over a window.
    pub fn all(&self, window: &str) -> String {
        self.total_query.replace(WINDOW, window)
    }
}

/// Reads the file.
pub fn read() -> Result<Spec> {
    let spec: Spec = read_yaml(&paths::root().join("monitoring/slo.yml"))?;
    ensure!(spec.version == VERSION, "monitoring/slo.yml is of version {}, not {VERSION}", spec.version);
    for slo in &spec.slos {
        let Events { error_query, total_query } = &slo.sli.events;
        ensure!(error_query.contains(WINDOW) && total_query.contains(WINDOW), "the queries of {} have no {WINDOW}", slo.name);
        ensure!(slo.alerting.name == ALERT, "the alert of {} is not called {ALERT}", slo.name);
        ensure!(slo.objective > 0.0 && slo.objective < 100.0, "the objective of {} is no percentage", slo.name);
    }
    Ok(spec)
}
