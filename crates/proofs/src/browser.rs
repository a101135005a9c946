//! Tests every page in a real browser, with three replicas behind the edge and simulated platforms.
//! The stories in `tests/web/` define the actions and expectations; this module starts the processes that they need.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use devstack::cargo;
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Port, Ports};
use devstack::process::{capture, task};
use devstack::report::{Outcome, Report};
use devstack::stack::{Plan, Stack};
use devstack::tools::{AXE, CHROMIUM, NODE, PLAYWRIGHT, Tool};

use crate::users;

/// Selects another browser than the one on PATH.
const VARIABLE: &str = "CHROMIUM";
/// The account of the admin who injects faults.
const ADMIN: &str = "admin@example.org";
/// Printed where the tests cannot run.
const SKIPPED: &str =
    "SKIPPED: Chromium, Node.js, Playwright or axe-core is missing (--install gets them): the pages are NOT tested in a browser";

/// The tools that this verb needs in addition to those of a stack.
#[must_use]
pub fn programs() -> Vec<&'static Tool> {
    let named = env::var_os(VARIABLE).is_some();
    [&NODE, &PLAYWRIGHT, &AXE].into_iter().chain((!named).then_some(&CHROMIUM)).collect()
}

/// Adds the step to a report. The step runs the stories with `story` in their names.
pub fn add(report: &mut Report, story: &str) -> Result<()> {
    report.step("browser", || {
        if programs().iter().any(|tool| tool.find().is_none()) {
            eprintln!("{SKIPPED}");
            return Ok(Outcome::skipped(SKIPPED));
        }
        cargo::build(false, false)?;
        stories(story)
    })
}

fn stories(story: &str) -> Result<Outcome> {
    let folder = paths::temporary("browser")?;
    let ports = Ports::any(MAX_REPLICAS)?;
    // URLs with the host name that browsers use: cookies and the platforms' redirects are bound to it.
    let (edge, simulator, mails) = (ports.page(Port::Edge)?, ports.page(Port::ProviderSim)?, ports.url(Port::MailPage)?);
    let replicas = (1..=MAX_REPLICAS).map(|number| ports.url(Port::Backend(number))).collect::<Result<Vec<_>>>()?;
    // Every visit is measured. Environments do not fail at random: only a story injects failures.
    let settings = [("RUM_SAMPLE", "1"), ("SIM_FAILURE_RATE", "0"), ("FAULTS", "true")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    let plan =
        Plan { folder: folder.path().to_owned(), ports, replicas: MAX_REPLICAS, binary: cargo::binary(false), engine: None, settings };
    let stack = Stack::start_service(plan)?;
    let admin = users::sign_up(&edge, ADMIN)?;
    stack.administer(&["grant-admin", ADMIN])?;

    let screenshots = paths::proofs().join("screenshots");
    paths::ensure(&screenshots)?;
    let output = capture(
        task(NODE.path()?)
            .arg(paths::root().join("tests/web/run.mjs"))
            .arg(story)
            .env("EDGE", &edge)
            .env("SIMULATOR", simulator)
            .env("MAILS", mails)
            .env("REPLICAS", replicas.join(" "))
            .env("ADMIN", admin)
            .env("CHROMIUM", chromium()?)
            .env("LIBRARIES", PLAYWRIGHT.location().context("Playwright is missing although it was found before")?)
            .env("SCREENSHOTS", screenshots),
    )?;
    eprintln!("{}", output.text.trim_end());
    let outcome = Outcome::from_summary(&output.text).context("the stories did not finish")?;
    ensure!(output.success || outcome.failed > 0, "the stories did not finish");
    Ok(outcome)
}

/// The browser: the program on PATH, or the one that the variable names.
pub fn chromium() -> Result<PathBuf> {
    env::var_os(VARIABLE).map_or_else(|| CHROMIUM.path(), |path| Ok(path.into()))
}
