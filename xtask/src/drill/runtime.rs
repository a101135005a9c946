//! The replicas' processes: busy, full, broken.

use serde_json::json;

use super::Drill;
use super::bench::shoot;
use super::traffic::Traffic;

/// A replica's workers do something else.
pub const BUSY: Drill = Drill {
    alerts: &["HighCPUUsage", "HighEventLoopLag"],
    cause: "the worker of backend-2 computes 200 ms at a time, again and again",
    mitigation: "what it computes is ended (fault `block`)",
    inject: |bench| {
        let fault = bench.fault(json!({ "fault": "block", "replica": "backend-2", "delay_ms": 200 }))?;
        Ok(Box::new(move |bench| bench.end_fault(&fault)))
    },
};

/// A replica holds more than it should.
pub const FULL: Drill = Drill {
    alerts: &["HighMemoryUsage"],
    cause: "backend-3 takes 450 MiB and keeps them",
    mitigation: "it gives them back (fault `memory`)",
    inject: |bench| {
        let fault = bench.fault(json!({ "fault": "memory", "replica": "backend-3", "mebibytes": 450 }))?;
        Ok(Box::new(move |bench| bench.end_fault(&fault)))
    },
};

/// A background task of a replica ends.
pub const TASK: Drill = Drill {
    alerts: &["TaskFailures"],
    cause: "a background task of backend-1 ends with an error: the replica leaves",
    mitigation: "the replica is started again",
    inject: |bench| {
        let fault = bench.fault(json!({ "fault": "task", "replica": "backend-1" }))?;
        bench.stack.wait_for_end("backend-1")?;
        Ok(Box::new(move |bench| {
            bench.end_fault(&fault)?;
            bench.stack.start_successor(1)
        }))
    },
};

/// A handler panics.
pub const PANIC: Drill = Drill {
    alerts: &["PanicDetected"],
    cause: "the showcase panics in every replica",
    mitigation: "the change that broke it is taken back (fault `panic`)",
    inject: |bench| {
        let fault = bench.fault(json!({ "fault": "panic", "route": "/api/showcase" }))?;
        let url = format!("{}/api/showcase", bench.stack.edge()?);
        let visitors = Traffic::start(5, 1, move |client, _| shoot(client, "GET", &url, &[], None));
        Ok(Box::new(move |bench| {
            bench.end_fault(&fault)?;
            drop(visitors);
            Ok(())
        }))
    },
};
