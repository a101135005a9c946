//! The way from an alert to a person, asked of the programs that it leads through: is Alertmanager's configuration right, does it choose whom it
//! should (`notifications/routes`), does it silence what it should and nothing else (`notifications/inhibitions`), does it say what it should, does
//! all of it arrive (`notifications/live`), and do its links open (`notifications/links`)?

mod bench;
mod inhibitions;
mod links;
mod live;
mod routes;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::checks::{check, tool};
use crate::process::capture_ok;
use crate::report::{Outcome, Report};
use crate::tools::AMTOOL;

/// Adds the checks of the folder that `configuration` wrote to a report.
pub fn all(report: &mut Report, root: &Path) -> Result<()> {
    let folder = root.join("alertmanager");
    report.step("amtool check-config", || check(tool(&AMTOOL)?.arg("check-config").arg(folder.join("alertmanager.yml"))))?;
    report.step("amtool config routes", || routes::check(&folder, &root.join("prometheus/rules")))?;
    report.step("what silences what", || inhibitions::check(&folder))?;
    report.step("amtool template render", || templates(&folder))?;
    report.step("alerts reach people", live::check)?;
    report.step("their links open", links::check)
}

/// Each notification of the folder of tests, in the words of every template, is what stands beside it.
fn templates(folder: &Path) -> Result<Outcome> {
    let tests = folder.join("tests");
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let text = read(&tests.join("all.tmpl"))?;
    let mut sum = Outcome::default();
    for entry in fs::read_dir(&tests).with_context(|| format!("cannot read {}", tests.display()))? {
        let data = entry?.path();
        if data.extension().is_none_or(|kind| kind != "json") {
            continue;
        }
        let mut render = tool(&AMTOOL)?;
        render.args(["template", "render", "--template.glob"]).arg(folder.join("templates/*.tmpl"));
        let said = capture_ok(render.args(["--template.text", &text, "--template.data"]).arg(&data))?;
        let expected = data.with_extension("txt");
        if said == read(&expected)? {
            sum.passed += 1;
        } else {
            sum.failed += 1;
            sum.note = format!("{} is not what the templates say now", expected.file_name().unwrap_or_default().display());
            eprintln!("{}:\n{said}", data.display());
        }
    }
    ensure!(sum != Outcome::default(), "{} holds no notifications", tests.display());
    Ok(sum)
}
