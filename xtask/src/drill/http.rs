//! What clients get: slow answers and failures.

use serde_json::json;

use super::Drill;
use super::bench::{Bench, shoot};
use super::traffic::Traffic;
use crate::ports::Port;

/// Half of the answers are late, but come.
pub const SLOW: Drill = Drill {
    alerts: &["HighAPILatency", "SlowResponseTime"],
    cause: "half of the answers of every replica come 2 s late",
    mitigation: "what slows them is ended (fault `latency`)",
    inject: |bench| {
        let fault = bench.fault(json!({ "fault": "latency", "delay_ms": 2000, "percent": 50 }))?;
        let readers = readers(bench, 5, 20)?;
        Ok(Box::new(move |bench| {
            bench.end_fault(&fault)?;
            drop(readers);
            Ok(())
        }))
    },
};

/// Answers come so late that nobody waits for them.
pub const VERY_SLOW: Drill = Drill {
    alerts: &["VeryHighAPILatency", "ErrorBudgetBurn:requests-latency:critical"],
    cause: "every answer comes 7 s late",
    mitigation: "what slows them is ended (fault `latency`)",
    inject: |bench| {
        let fault = bench.fault(json!({ "fault": "latency", "delay_ms": 7000 }))?;
        let readers = readers(bench, 5, 50)?;
        Ok(Box::new(move |bench| {
            bench.end_fault(&fault)?;
            drop(readers);
            Ok(())
        }))
    },
};

/// Many requests fail, among very many that do not.
pub const ERRORS: Drill = Drill {
    alerts: &["HighAPIErrorRate"],
    cause: "a route that is asked 15 times a second fails, beside 400 requests a second that succeed",
    mitigation: "the route is mended (fault `error`)",
    inject: |bench| {
        let fault = bench.fault(json!({ "fault": "error", "status": 500, "route": "/api/showcase" }))?;
        let failing = readers(bench, 15, 2)?;
        let replicas = replicas(bench)?;
        // Not by way of the edge: this is a load that it, too, would have to be given time for.
        let well = Traffic::start(400, 4, move |client, number| {
            shoot(client, "GET", &format!("{}/version", replicas[number as usize % replicas.len()]), &[], None);
        });
        Ok(Box::new(move |bench| {
            bench.end_fault(&fault)?;
            drop((failing, well));
            Ok(())
        }))
    },
};

/// All requests fail.
pub const OUTAGE: Drill = Drill {
    alerts: &["VeryHighAPIErrorRate", "HighErrorRate", "LowSuccessRate", "EdgeErrors", "ErrorBudgetBurn:requests-availability:critical"],
    cause: "every replica answers 500 to whatever it is asked, 90 times a second",
    mitigation: "the change that broke it is taken back (fault `error`)",
    inject: |bench| {
        let fault = bench.fault(json!({ "fault": "error", "status": 500 }))?;
        let readers = readers(bench, 90, 6)?;
        Ok(Box::new(move |bench| {
            bench.end_fault(&fault)?;
            drop(readers);
            Ok(())
        }))
    },
};

/// Visitors of the showcase.
pub fn readers(bench: &Bench, per_second: u32, connections: u32) -> anyhow::Result<Traffic> {
    let url = format!("{}/api/showcase", bench.stack.edge()?);
    Ok(Traffic::start(per_second, connections, move |client, _| shoot(client, "GET", &url, &[], None)))
}

fn replicas(bench: &Bench) -> anyhow::Result<Vec<String>> {
    (1..=crate::ports::MAX_REPLICAS).map(|number| bench.url(Port::Backend(number))).collect()
}
