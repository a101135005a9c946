//! Socket.IO: refused connections, connection churn, dropped events, late events.

use std::thread;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::test_stack::TestStack;
use super::traffic::Traffic;
use super::{Drill, Mitigation, ends};
use crate::sockets::Sockets;

/// Longer than 2 s, the round trip above which an event counts as late.
const FROZEN: Duration = Duration::from_secs(4);
/// Long enough that about a third of all events are late.
const LONG_FROZEN: Duration = Duration::from_secs(9);
/// Long enough for a scrape.
const THAWED: Duration = Duration::from_secs(1);

/// Clients present invalid tokens.
pub const REFUSED: Drill = Drill {
    alerts: &["WebSocketErrorsHigh"],
    cause: "a client tries a wrong token ten times per second",
    mitigation: "the client is stopped",
    inject: |test| {
        let clients = storm(test, "no-token-of-ours", 100)?;
        Ok(ends(clients))
    },
};

/// Clients connect and immediately disconnect.
pub const CHURN: Drill = Drill {
    alerts: &["WebSocketChurnHigh"],
    cause: "a client connects and disconnects twenty times per second",
    mitigation: "the client is stopped",
    inject: |test| {
        // The alert compares the rate of connections with the hour before, and stays silent until this history exists. Without this wait,
        // the churn itself would become part of that hour.
        test.wait_for_history("websocket_connections_total{job=\"backend\"}", Duration::from_mins(65))?;
        let clients = storm(test, &test.new_account()?, 50)?;
        Ok(ends(clients))
    },
};

/// Events do not reach clients.
pub const DROPPED: Drill = Drill {
    alerts: &["WebSocketMessagesDropped"],
    cause: "every replica drops its events to clients",
    mitigation: "the fault `drop_event` is ended",
    inject: |test| {
        let clients = storm(test, &test.new_account()?, 500)?;
        let fault = test.fault(json!({ "fault": "drop_event" }))?;
        Ok(Box::new(move |test| {
            drop(clients);
            test.end_fault(&fault)
        }))
    },
};

/// A replica receives events late.
pub const LATE: Drill = Drill {
    alerts: &["RealtimeFanoutSlow"],
    cause: "backend-3 is frozen for 4 s, again and again",
    mitigation: "the process that freezes it is stopped",
    inject: |test| freeze(test, FROZEN),
};

/// A replica receives so many events late that the error budget of 30 days would be used up within about a day.
pub const VERY_LATE: Drill = Drill {
    alerts: &["ErrorBudgetBurn:realtime-fanout:critical"],
    cause: "backend-3 is frozen for 9 s, again and again",
    mitigation: "the process that freezes it is stopped",
    inject: |test| freeze(test, LONG_FROZEN),
};

/// Freezes backend-3 repeatedly, each time for the duration `frozen`.
fn freeze(test: &mut TestStack, frozen: Duration) -> anyhow::Result<Mitigation> {
    let replica = test.stack.pid("backend-3")?;
    let freezer = Traffic::start(1, 1, move |_, _| {
        for (signal, lasts) in [(Signal::STOP, frozen), (Signal::CONT, THAWED)] {
            // The process may have exited.
            let _ = kill_process(replica, signal);
            thread::sleep(lasts);
        }
    });
    Ok(ends(freezer))
}

/// A process in which a client connects and disconnects every `every_ms` milliseconds.
fn storm(test: &TestStack, token: &str, every_ms: u32) -> anyhow::Result<Sockets> {
    let mut clients = Sockets::start()?;
    clients.ask(&json!({ "command": "storm", "url": test.stack.edge()?, "token": token, "every": every_ms }))?;
    Ok(clients)
}
