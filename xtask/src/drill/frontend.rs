//! What browsers report of the pages. They are played here: what a browser sends of a page that is broken or slow.

use anyhow::Result;
use serde_json::{Value, json};

use super::Drill;
use super::bench::{Bench, shoot};
use super::traffic::Traffic;

/// A browser of a person: robots are not counted.
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";

/// Pages fail in browsers.
pub const ERRORS: Drill = Drill {
    alerts: &["ClientErrorsHigh"],
    cause: "every third view of a page reports an error",
    mitigation: "the script is mended: views report none",
    inject: |bench| {
        let view = json!([{ "kind": "page_view", "route": "/about" }]);
        let broken = json!([{ "kind": "page_view", "route": "/about" }, { "kind": "client_error", "type": "error" }]);
        let (views, broken) = (beacons(bench, 8, &view)?, beacons(bench, 4, &broken)?);
        Ok(Box::new(move |_| {
            drop((broken, views));
            Ok(())
        }))
    },
};

/// A page shows itself late.
pub const SLOW: Drill = Drill {
    alerts: &["PoorWebVitals"],
    cause: "visitors of the showcase report that its largest part came after 6 s",
    mitigation: "the page is mended: it comes after 300 ms",
    inject: |bench| {
        let late = beacons(bench, 3, &json!([{ "kind": "web_vital", "route": "/projects", "vital": "lcp", "value": 6000 }]))?;
        Ok(Box::new(move |bench| {
            drop(late);
            // Nobody waits for it: it goes on until the stack ends.
            let soon = beacons(bench, 12, &json!([{ "kind": "web_vital", "route": "/projects", "vital": "lcp", "value": 300 }]))?;
            bench.keep(soon);
            Ok(())
        }))
    },
};

/// Browsers that report some events so often.
pub fn beacons(bench: &Bench, per_second: u32, events: &Value) -> Result<Traffic> {
    let url = format!("{}/api/rum", bench.stack.edge()?);
    let beacon = json!({ "events": events });
    Ok(Traffic::start(per_second, 1, move |client, _| shoot(client, "POST", &url, &[("user-agent", AGENT)], Some(&beacon))))
}
