//! Error budgets that burn four to five times too fast: enough for a ticket (a warning), too little for a page (a critical alert). Ticket
//! alerts look back over one and three days, so these drills run before anything else fails. Only [`SIGN_INS`] burns a budget fast enough
//! for a page: it raises the critical alert of sign-ins, which no other drill raises.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use devstack::http::Client;
use devstack::ports::{MAX_REPLICAS, Port};
use devstack::process::wait_until;
use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::test_stack::{TestStack, send_and_forget};
use super::traffic::Traffic;
use super::{Drill, Mitigation};

/// A small share of requests fails, and another small share is slow.
pub const TICKETS: Drill = Drill {
    alerts: &["ErrorBudgetBurn:requests-availability:warning", "ErrorBudgetBurn:requests-latency:warning", "ErrorBudgetBurn:login:warning"],
    cause: "of a hundred requests per second, 2 % of the sign-ins (0.5 % of all requests) fail on a damaged password hash, and 4.5 % use a \
                route that is delayed by 400 ms",
    mitigation: "the hashes are repaired and the fault `latency` is ended, while healthy requests continue",
    inject: small_shares,
};

/// Many sign-ins fail.
pub const SIGN_INS: Drill = Drill {
    alerts: &["ErrorBudgetBurn:login:critical"],
    cause: "eight sign-ins per second fail on a damaged password hash",
    mitigation: "the hashes are repaired",
    inject: |test| {
        damage(test)?;
        let url = login(test)?;
        let failing = Traffic::start(8, 1, move |client, number| fail_to_sign_in(client, &url, number));
        Ok(Box::new(move |test| {
            drop(failing);
            repair(test)
        }))
    },
};

/// A small share of events is late. The measured events are canaries, which arrive at a constant rate. This drill runs first, because many
/// earlier punctual canaries would make the share of late ones too small.
pub const LATENESS: Drill = Drill {
    alerts: &["ErrorBudgetBurn:realtime-fanout:warning"],
    cause: "backend-3 is frozen for 4 s of every 16 s: 5 % of the events between replicas are late",
    mitigation: "the process that freezes it is stopped",
    inject: |test| {
        let replica = test.stack.pid("backend-3")?;
        let freezer = Traffic::start(1, 1, move |_, second| {
            let signal = match second % 16 {
                0 => Signal::STOP,
                4 => Signal::CONT,
                _ => return,
            };
            // The process may have exited.
            let _ = kill_process(replica, signal);
        });
        Ok(Box::new(move |_| {
            drop(freezer);
            kill_process(replica, Signal::CONT)?;
            Ok(())
        }))
    },
};

/// The request mix of [`small_shares`] repeats after this many requests, so the shares do not depend on the rate of requests.
const CYCLE: u32 = 200;
/// No other drill traffic uses this route.
const SLOW_ROUTE: &str = "/api/oauth/platforms";
/// Time limit for healthy requests to outweigh the slow first ones.
const OUTWEIGHED: Duration = Duration::from_mins(2);

fn small_shares(test: &mut TestStack) -> Result<Mitigation> {
    let replicas: Vec<String> = (1..=MAX_REPLICAS).map(|number| test.url(Port::Backend(number))).collect::<Result<_>>()?;
    let login = login(test)?;
    let fails = Arc::new(AtomicBool::new(false));
    let still_fails = fails.clone();
    // Bypasses the edge, which is busy enough.
    let requests = Traffic::start(100, 6, move |client, number| {
        let replica = &replicas[number as usize % replicas.len()];
        match number % CYCLE {
            0 if still_fails.load(Ordering::Relaxed) => fail_to_sign_in(client, &login, number / CYCLE),
            // Answered with 422, which counts as a success for the objective.
            number if number.is_multiple_of(4) => send_and_forget(client, "POST", &login, &[], Some(&json!({}))),
            number if number % 24 == 1 => send_and_forget(client, "GET", &format!("{replica}{SLOW_ROUTE}"), &[], None),
            _ => send_and_forget(client, "GET", &format!("{replica}/version"), &[], None),
        }
    });
    // The first requests after a start are slow. Until healthy requests outweigh them, the alert on the longest window of the latency
    // objective is active. This drill could not tell that alert from its own and would also wait for it to resolve.
    let burning = "ALERTS{alertname=\"ErrorBudgetBurn\",severity=\"warning\",slo=~\"requests-.+|login\"}";
    wait_until("healthy requests outweigh those of the start", OUTWEIGHED, || Ok(test.query(burning)?.is_empty()))?;
    damage(test)?;
    fails.store(true, Ordering::Relaxed);
    let fault = test.known_fault(json!({ "fault": "latency", "delay_ms": 400, "route": SLOW_ROUTE }))?;
    Ok(Box::new(move |test| {
        fails.store(false, Ordering::Relaxed);
        repair(test)?;
        test.end_fault(&fault)?;
        // Only successful requests lower the share of failed ones.
        test.keep_until_resolved(requests);
        // Wait until every replica has read that the fault has ended.
        thread::sleep(Duration::from_secs(1));
        Ok(())
    }))
}

/// Enough accounts that no single one reaches its login rate limit.
const DAMAGED: u32 = 2000;

/// Creates accounts whose password hash cannot be parsed.
fn damage(test: &TestStack) -> Result<()> {
    let accounts = "INSERT INTO users (id, email, display_name, password_hash)
        SELECT gen_random_uuid(), 'damaged-' || number || '@example.org', 'Damaged', 'damaged'";
    test.stack.sql(&format!(
        "{accounts} FROM generate_series(0, {DAMAGED}) AS number ON CONFLICT (email) DO UPDATE SET password_hash = 'damaged'"
    ))?;
    Ok(())
}

fn repair(test: &TestStack) -> Result<()> {
    test.stack.sql("UPDATE users SET password_hash = NULL WHERE password_hash = 'damaged'").map(drop)
}

fn login(test: &TestStack) -> Result<String> {
    Ok(format!("{}/api/auth/login", test.url(Port::Backend(1))?))
}

/// Tries to sign in to a damaged account, each time from an address reserved for documentation (RFC 5737).
fn fail_to_sign_in(client: &Client, url: &str, number: u32) {
    let address = format!("198.51.100.{}", number % 250);
    let owner = json!({ "email": format!("damaged-{}@example.org", number % DAMAGED), "password": "not-the-password" });
    send_and_forget(client, "POST", url, &[("x-forwarded-for", &address)], Some(&owner));
}
