//! HTTP: slow and failing responses. Routes that are exempt from fault injection stay healthy.

use devstack::ports::Port;
use serde_json::json;

use super::Drill;
use super::test_stack::{TestStack, send_and_forget};
use super::traffic::Traffic;

/// Half of the responses are slow but still succeed.
pub const SLOW: Drill = Drill {
    alerts: &["HighAPILatency", "SlowResponseTime"],
    cause: "half of the responses of every replica are delayed by 2 s",
    mitigation: "the delay is removed: the fault `latency` is ended",
    inject: |test| {
        let fault = test.fault(json!({ "fault": "latency", "delay_ms": 2000, "percent": 50 }))?;
        let readers = readers(test, 5, 20)?;
        Ok(Box::new(move |test| {
            test.end_fault(&fault)?;
            drop(readers);
            Ok(())
        }))
    },
};

/// Every response takes several seconds.
pub const VERY_SLOW: Drill = Drill {
    alerts: &["VeryHighAPILatency", "ErrorBudgetBurn:requests-latency:critical"],
    cause: "every response is delayed by 7 s",
    mitigation: "the delay is removed: the fault `latency` is ended",
    inject: |test| {
        let fault = test.fault(json!({ "fault": "latency", "delay_ms": 7000 }))?;
        let readers = readers(test, 5, 50)?;
        Ok(Box::new(move |test| {
            test.end_fault(&fault)?;
            drop(readers);
            Ok(())
        }))
    },
};

/// One route fails among a large volume of successful requests.
pub const ERRORS: Drill = Drill {
    alerts: &["HighAPIErrorRate"],
    cause: "a route with 15 requests per second fails, beside 400 successful requests per second",
    mitigation: "the route is fixed: the fault `error` is ended",
    inject: |test| {
        let fault = test.fault(json!({ "fault": "error", "status": 500, "route": "/api/showcase" }))?;
        let failing = readers(test, 15, 2)?;
        let replicas = replicas(test)?;
        // Bypasses the edge, to spare its CPU time.
        let well = Traffic::start(400, 4, move |client, number| {
            send_and_forget(client, "GET", &format!("{}/version", replicas[number as usize % replicas.len()]), &[], None);
        });
        Ok(Box::new(move |test| {
            test.end_fault(&fault)?;
            drop((failing, well));
            Ok(())
        }))
    },
};

/// Every request fails.
pub const OUTAGE: Drill = Drill {
    alerts: &["VeryHighAPIErrorRate", "HighErrorRate", "LowSuccessRate", "EdgeErrors", "ErrorBudgetBurn:requests-availability:critical"],
    cause: "every replica answers every request with 500, at 90 requests per second",
    mitigation: "the change that broke the replicas is rolled back: the fault `error` is ended",
    inject: |test| {
        let fault = test.fault(json!({ "fault": "error", "status": 500 }))?;
        let readers = readers(test, 90, 6)?;
        Ok(Box::new(move |test| {
            test.end_fault(&fault)?;
            drop(readers);
            Ok(())
        }))
    },
};

/// Visitors who read the showcase.
pub fn readers(test: &TestStack, per_second: u32, connections: u32) -> anyhow::Result<Traffic> {
    let url = format!("{}/api/showcase", test.stack.edge()?);
    Ok(Traffic::start(per_second, connections, move |client, _| send_and_forget(client, "GET", &url, &[], None)))
}

fn replicas(test: &TestStack) -> anyhow::Result<Vec<String>> {
    (1..=devstack::ports::MAX_REPLICAS).map(|number| test.url(Port::Backend(number))).collect()
}
