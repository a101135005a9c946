//! The processes of replicas: a blocked worker thread, high memory use, a failed task, a panic.

use serde_json::json;

use super::Drill;
use super::test_stack::send_and_forget;
use super::traffic::Traffic;

/// A replica's worker thread is blocked.
pub const BUSY: Drill = Drill {
    alerts: &["HighCPUUsage", "HighEventLoopLag"],
    cause: "a computation blocks the worker thread of backend-2 for 200 ms, again and again",
    mitigation: "the computation is stopped: the fault `block` is ended",
    inject: |test| {
        let fault = test.fault(json!({ "fault": "block", "replica": "backend-2", "delay_ms": 200 }))?;
        Ok(Box::new(move |test| test.end_fault(&fault)))
    },
};

/// A replica uses too much memory.
pub const FULL: Drill = Drill {
    alerts: &["HighMemoryUsage"],
    cause: "backend-3 allocates 450 MiB and keeps them",
    mitigation: "the memory is released: the fault `memory` is ended",
    inject: |test| {
        let fault = test.fault(json!({ "fault": "memory", "replica": "backend-3", "mebibytes": 450 }))?;
        Ok(Box::new(move |test| test.end_fault(&fault)))
    },
};

/// A background task of a replica ends with an error.
pub const TASK: Drill = Drill {
    alerts: &["TaskFailures"],
    cause: "a background task of backend-1 ends with an error, and the replica shuts down",
    mitigation: "the replica is started again",
    inject: |test| {
        let fault = test.fault(json!({ "fault": "task", "replica": "backend-1" }))?;
        test.stack.wait_for_end("backend-1")?;
        Ok(Box::new(move |test| {
            test.end_fault(&fault)?;
            test.stack.start_successor(1)
        }))
    },
};

/// A handler panics.
pub const PANIC: Drill = Drill {
    alerts: &["PanicDetected"],
    cause: "the handler of the showcase panics in every replica",
    mitigation: "the change that broke the handler is rolled back: the fault `panic` is ended",
    inject: |test| {
        let fault = test.fault(json!({ "fault": "panic", "route": "/api/showcase" }))?;
        let url = format!("{}/api/showcase", test.stack.edge()?);
        let traffic = Traffic::start(5, 1, move |client, _| send_and_forget(client, "GET", &url, &[], None));
        Ok(Box::new(move |test| {
            test.end_fault(&fault)?;
            drop(traffic);
            Ok(())
        }))
    },
};
