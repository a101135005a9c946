//! Authentication: guessed passwords and forged OAuth callbacks.

use std::net::Ipv4Addr;

use devstack::ports::Port;
use serde_json::json;

use super::test_stack::{TestStack, send_and_forget};
use super::traffic::Traffic;
use super::{Drill, ends};

/// More failed logins than successful ones.
pub const FAILURES: Drill = Drill {
    alerts: &["HighAuthFailureRate"],
    cause: "a client tries three wrong passwords per second",
    mitigation: "the client stops, as if its address were blocked",
    inject: |test| {
        let guesses = guesses(test, 3, 2)?;
        Ok(ends(guesses))
    },
};

/// A client guesses passwords at a high rate, and continues when throttled.
pub const BRUTE_FORCE: Drill = Drill {
    alerts: &["PossibleBruteForceAttack"],
    cause: "a client tries forty wrong passwords per second and continues when throttled",
    mitigation: "the client stops, as if its address were blocked",
    inject: |test| {
        let guesses = guesses(test, 40, 4)?;
        Ok(ends(guesses))
    },
};

/// OAuth logins through one platform fail.
pub const OAUTH: Drill = Drill {
    alerts: &["OAuthFailures"],
    cause: "every callback from Google carries a forged `state`",
    mitigation: "the client that forges the callbacks is stopped",
    inject: |test| {
        let url = format!("{}/api/oauth/google/callback?state=forged&code=forged", test.url(Port::Backend(3))?);
        let address = [("x-forwarded-for", "203.0.113.1")];
        let forger = Traffic::start(3, 1, move |client, _| send_and_forget(client, "GET", &url, &address, None));
        Ok(ends(forger))
    },
};

/// Sends wrong passwords. Like the forged callbacks above, they come from an address reserved for documentation (RFC 5737), so that rate
/// limits apply to the attack and not to other drills of the batch.
fn guesses(test: &TestStack, per_second: u32, connections: u32) -> anyhow::Result<Traffic> {
    let url = format!("{}/api/auth/login", test.url(Port::Backend(3))?);
    let address = Ipv4Addr::new(203, 0, 113, u8::try_from(per_second).unwrap_or_default()).to_string();
    Ok(Traffic::start(per_second, connections, move |client, number| {
        let guess = json!({ "email": format!("victim-{number}@example.org"), "password": "not-the-password" });
        send_and_forget(client, "POST", &url, &[("x-forwarded-for", &address)], Some(&guess));
    }))
}
