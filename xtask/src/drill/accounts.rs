//! Who proves to be whom: passwords that are guessed, platforms that do not vouch.

use std::net::Ipv4Addr;

use serde_json::json;

use super::bench::{Bench, shoot};
use super::traffic::Traffic;
use super::{Drill, ends};
use crate::ports::Port;

/// More wrong passwords than right ones.
pub const FAILURES: Drill = Drill {
    alerts: &["HighAuthFailureRate"],
    cause: "somebody tries three wrong passwords a second",
    mitigation: "the address is refused: the attempts end",
    inject: |bench| {
        let guesses = guesses(bench, 3, 2)?;
        Ok(ends(guesses))
    },
};

/// Somebody guesses passwords as fast as the service answers.
pub const BRUTE_FORCE: Drill = Drill {
    alerts: &["PossibleBruteForceAttack"],
    cause: "somebody tries forty wrong passwords a second, and goes on when throttled",
    mitigation: "the address is refused: the attempts end",
    inject: |bench| {
        let guesses = guesses(bench, 40, 4)?;
        Ok(ends(guesses))
    },
};

/// A platform does not let anybody in.
pub const OAUTH: Drill = Drill {
    alerts: &["OAuthFailures"],
    cause: "whoever comes back from Google brings a state that is not theirs",
    mitigation: "the client that forges them is stopped",
    inject: |bench| {
        let url = format!("{}/api/oauth/google/callback?state=forged&code=forged", bench.url(Port::Backend(3))?);
        let address = [("x-forwarded-for", "203.0.113.1")];
        let forger = Traffic::start(3, 1, move |client, _| shoot(client, "GET", &url, &address, None));
        Ok(ends(forger))
    },
};

/// Each from an address of documentation (RFC 5737), as the callbacks above: what is throttled is the attack, not the load beside it.
fn guesses(bench: &Bench, per_second: u32, connections: u32) -> anyhow::Result<Traffic> {
    let url = format!("{}/api/auth/login", bench.url(Port::Backend(3))?);
    let address = Ipv4Addr::new(203, 0, 113, u8::try_from(per_second).unwrap_or_default()).to_string();
    Ok(Traffic::start(per_second, connections, move |client, number| {
        let guess = json!({ "email": format!("victim-{number}@example.org"), "password": "not-the-password" });
        shoot(client, "POST", &url, &[("x-forwarded-for", &address)], Some(&guess));
    }))
}
