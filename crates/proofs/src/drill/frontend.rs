//! Browser reports about pages. The drills send the beacons that a browser would send for a broken or slow page.

use anyhow::Result;
use serde_json::{Value, json};

use super::Drill;
use super::test_stack::{TestStack, send_and_forget};
use super::traffic::Traffic;

/// The user agent of a browser; the service does not count beacons of robots.
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";

/// Page scripts fail in browsers.
pub const ERRORS: Drill = Drill {
    alerts: &["ClientErrorsHigh"],
    cause: "every third page view reports a script error",
    mitigation: "the script is fixed: page views report no errors",
    inject: |test| {
        let view = json!([{ "kind": "page_view", "route": "/about" }]);
        let broken = json!([{ "kind": "page_view", "route": "/about" }, { "kind": "client_error", "type": "error" }]);
        let (views, broken) = (beacons(test, 8, &view)?, beacons(test, 4, &broken)?);
        Ok(Box::new(move |test| {
            drop(broken);
            // These beacons make the alert resolve. No other drill depends on them, so they may continue until the stack stops.
            test.keep(views);
            Ok(())
        }))
    },
};

/// The largest part of a page renders late.
pub const SLOW: Drill = Drill {
    alerts: &["PoorWebVitals"],
    cause: "visitors of the showcase report a largest contentful paint of 6 s",
    mitigation: "the page is fixed: its largest contentful paint takes 300 ms",
    inject: |test| {
        let slow = beacons(test, 3, &json!([{ "kind": "web_vital", "route": "/projects", "vital": "lcp", "value": 6000 }]))?;
        Ok(Box::new(move |test| {
            drop(slow);
            // These beacons make the alert resolve. No other drill depends on them, so they may continue until the stack stops.
            let fast = beacons(test, 12, &json!([{ "kind": "web_vital", "route": "/projects", "vital": "lcp", "value": 300 }]))?;
            test.keep(fast);
            Ok(())
        }))
    },
};

/// Sends a beacon with these events repeatedly, at a rate per second.
pub fn beacons(test: &TestStack, per_second: u32, events: &Value) -> Result<Traffic> {
    let url = format!("{}/api/rum", test.stack.edge()?);
    let beacon = json!({ "events": events });
    Ok(Traffic::start(per_second, 1, move |client, _| send_and_forget(client, "POST", &url, &[("user-agent", AGENT)], Some(&beacon))))
}
