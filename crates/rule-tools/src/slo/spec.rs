//! The format of monitoring/slo.yml: a part of `prometheus/v1`, the format of the rule generator sloth. Vitrine does not use the other
//! fields of that format, so any other field is an error: it would have no effect.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use devstack::paths;
use serde::Deserialize;

use crate::rules::read as read_yaml;

/// The supported version.
const VERSION: &str = "prometheus/v1";
/// The placeholder for the window in a query.
const WINDOW: &str = "{{.window}}";

/// The name of the alert of all objectives, which share one runbook.
pub const ALERT: &str = "ErrorBudgetBurn";

/// Texts by name.
pub type Texts = BTreeMap<String, String>;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    version: String,
    /// The service that the objectives belong to.
    pub service: String,
    /// The objectives.
    pub slos: Vec<Slo>,
}

/// One objective.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// Its unique name.
    pub name: String,
    /// Percentage of good events.
    pub objective: f64,
    /// A good event in words, without a full stop.
    pub description: String,
    /// Labels of every series and alert of the objective.
    pub labels: Texts,
    /// How events and errors are counted.
    pub sli: Sli,
    /// How alerts are labelled and annotated.
    pub alerting: Alerting,
}

/// The service level indicator of an objective.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sli {
    /// The queries that count events and errors.
    pub events: Events,
}

/// Queries for the rates of events, with a placeholder for the window.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    error_query: String,
    total_query: String,
}

/// The alerts on a burning budget.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerting {
    name: String,
    /// Annotations of the objective's alerts; the generator adds the annotation `description`.
    pub annotations: Texts,
    /// The alert that pages somebody.
    pub page_alert: AlertLabels,
    /// The alert that is handled within days.
    pub ticket_alert: AlertLabels,
}

/// The labels of an alert of one urgency.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertLabels {
    /// Labels of the alert.
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
    ensure!(spec.version == VERSION, "monitoring/slo.yml has version {}, not {VERSION}", spec.version);
    for slo in &spec.slos {
        let Events { error_query, total_query } = &slo.sli.events;
        ensure!(error_query.contains(WINDOW) && total_query.contains(WINDOW), "a query of {} has no {WINDOW}", slo.name);
        ensure!(slo.alerting.name == ALERT, "the alert of {} is not called {ALERT}", slo.name);
        ensure!(slo.objective > 0.0 && slo.objective < 100.0, "the objective of {} is not between 0 and 100", slo.name);
    }
    Ok(spec)
}
