//! Tests the way from an alert to its receivers with the real programs. Alertmanager's configuration is valid, routes alerts to the
//! intended receivers (`notifications/routes`), inhibits the intended alerts and no others (`notifications/inhibitions`), and renders the
//! intended text. Notifications arrive (`notifications/live`), and their links work (`notifications/links`).

mod inhibitions;
mod links;
mod live;
mod receivers;
mod routes;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use devstack::process::capture_ok;
use devstack::report::{Outcome, Report};
use devstack::tools::AMTOOL;
use rule_tools::checks::{check, tool};

/// Adds the checks to a report. `root` is a folder into which `rule_tools::checks::copy_configuration` has copied the configuration.
pub fn all(report: &mut Report, root: &Path) -> Result<()> {
    let folder = root.join("alertmanager");
    report.step("amtool check-config", || check(tool(&AMTOOL)?.arg("check-config").arg(folder.join("alertmanager.yml"))))?;
    report.step("amtool config routes", || routes::check(&folder, &root.join("prometheus/rules")))?;
    report.step("inhibitions", || inhibitions::check(&folder))?;
    report.step("amtool template render", || templates(&folder))?;
    report.step("alerts reach their receivers", live::check)?;
    report.step("links of notifications open", links::check)
}

/// Checks that each notification in the folder of tests, rendered by every template, matches the expected file beside it.
fn templates(folder: &Path) -> Result<Outcome> {
    let tests = folder.join("tests");
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()));
    let text = read(&tests.join("all.tmpl"))?;
    let mut sum = Outcome::default();
    for entry in fs::read_dir(&tests).with_context(|| format!("failed to read {}", tests.display()))? {
        let data = entry?.path();
        if data.extension().is_none_or(|kind| kind != "json") {
            continue;
        }
        let mut render = tool(&AMTOOL)?;
        render.args(["template", "render", "--template.glob"]).arg(folder.join("templates/*.tmpl"));
        let output = capture_ok(render.args(["--template.text", &text, "--template.data"]).arg(&data))?;
        let expected = data.with_extension("txt");
        if output == read(&expected)? {
            sum.passed += 1;
        } else {
            sum.failed += 1;
            sum.note = format!("{} differs from the output of the templates", expected.file_name().unwrap_or_default().display());
            eprintln!("{}:\n{output}", data.display());
        }
    }
    ensure!(sum != Outcome::default(), "{} contains no notifications", tests.display());
    Ok(sum)
}
