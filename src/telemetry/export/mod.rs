//! The export of telemetry to the OTLP endpoint, if `OTEL_EXPORTER_OTLP_ENDPOINT` is set: one queue and one task for each kind of
//! telemetry (`queue`), over the service's own HTTP client (`collector`). What is exported is the matter of `traces` and
//! `logs`.

mod collector;
mod queue;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{RetryPolicy, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use url::Url;

use self::collector::Collector;
pub use self::collector::is_exporting;
pub use self::queue::{Export, Queue, Signal};
use crate::config::Config;

/// Time limit of a request to the collector.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The OTLP endpoint, and the resource that sends to it.
pub struct Endpoint {
    url: Url,
    /// The replica, in the terms of OpenTelemetry.
    pub resource: Resource,
}

impl Endpoint {
    /// `None` while no endpoint is configured.
    pub fn of(config: &Config) -> Option<Self> {
        let url = config.otel_exporter_otlp_endpoint.clone()?;
        let resource = Resource::builder_empty()
            .with_service_name(config.otel_service_name.clone())
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", config.replica.clone()),
                KeyValue::new("deployment.environment.name", config.environment.name()),
            ])
            .build();
        Some(Self { url, resource })
    }

    /// Makes an exporter of the library send to this path of the endpoint.
    pub fn configure<B: WithHttpConfig + WithExportConfig>(&self, exporter: B, path: &str) -> B {
        exporter
            .with_http_client(Collector::new(TIMEOUT))
            // Retries of the library would block this thread. Telemetry is not worth a retry of our own.
            .with_retry_policy(RetryPolicy::disabled())
            .with_endpoint(format!("{}{path}", self.url.as_str().trim_end_matches('/')))
            .with_timeout(TIMEOUT)
    }
}
