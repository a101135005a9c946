//! The pictures in README.md. Takes them in a browser, from the running stack of `up` or Compose, and detects stale ones: beside the
//! pictures is a list of the digests of their sources. `browser` tests the pages; its screenshots are for review and are not committed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use devstack::ports::MAX_REPLICAS;
use devstack::process::{capture, task};
use devstack::report::{Outcome, Report};
use devstack::stack::fixed_ports;
use devstack::tools::{NODE, PLAYWRIGHT};
use devstack::{http, paths};
use sha2::{Digest, Sha256};

use crate::browser;

/// A picture, in the file `docs/pictures/<name>.png`.
struct Picture {
    name: &'static str,
    /// The variable with the URL of the program that serves the page.
    at: &'static str,
    /// The page's path and query.
    page: &'static str,
    /// Files and folders that decide how the page looks.
    sources: &'static [&'static str],
}

const PICTURES: [Picture; 4] = [
    Picture {
        name: "home",
        at: "PUBLIC_URL",
        page: "/",
        sources: &["templates/frame.html", "templates/home.html", "web/src/app.css", "src/demo/content.rs"],
    },
    dashboard("overview", "/d/vitrine-overview?kiosk", &["monitoring/grafana/dashboards/service/overview.json"]),
    dashboard("http-detail", "/d/vitrine-http-detail?kiosk", &["monitoring/grafana/dashboards/service/http-detail.json"]),
    dashboard("realtime", "/d/vitrine-realtime?kiosk", &["monitoring/grafana/dashboards/service/realtime.json"]),
];

const fn dashboard(name: &'static str, page: &'static str, sources: &'static [&'static str]) -> Picture {
    Picture { name, at: "GRAFANA_URL", page, sources }
}

/// The file with the digests. A line has a digest (SHA-256, base64), two spaces, and the name of the picture.
const DIGESTS: &str = "sources.txt";

/// Takes every picture whose program runs, and records the digests of its sources.
pub fn take(report: &mut Report) -> Result<()> {
    let pages = BTreeMap::from(fixed_ports(MAX_REPLICAS)?.pages()?);
    let mut digests = recorded(&folder())?;
    for picture in &PICTURES {
        report.step(picture.name, || {
            let base = &pages[picture.at];
            if !http::is_ok(&format!("{base}/")) {
                let note = format!("SKIPPED: nothing answers at {base}");
                eprintln!("{note}");
                return Ok(Outcome::skipped(note));
            }
            shoot(&format!("{base}{}", picture.page), &folder().join(format!("{}.png", picture.name)))?;
            digests.insert(picture.name.to_owned(), digest(&paths::root(), picture.sources)?);
            Ok(Outcome::passed())
        })?;
    }
    let text = digests.iter().fold(String::new(), |mut text, (name, digest)| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{digest}  {name}");
        text
    });
    fs::write(folder().join(DIGESTS), text).context("failed to write the digests of the sources")
}

/// Adds a step that fails if the sources of a picture have changed since it was taken.
pub fn check(report: &mut Report) -> Result<()> {
    report.step("pictures are up to date", || {
        let recorded = recorded(&folder())?;
        let stale = stale(&paths::root(), &recorded)?;
        if stale.is_empty() {
            Ok(Outcome::passed())
        } else {
            Ok(Outcome::failed(format!("run `cargo xtask pictures` for {}", stale.join(", "))))
        }
    })
}

fn stale(root: &Path, recorded: &BTreeMap<String, String>) -> Result<Vec<&'static str>> {
    let mut stale = Vec::new();
    for picture in &PICTURES {
        if recorded.get(picture.name) != Some(&digest(root, picture.sources)?) {
            stale.push(picture.name);
        }
    }
    Ok(stale)
}

fn folder() -> PathBuf {
    paths::root().join("docs/pictures")
}

/// The digest of the sources of each picture, by name.
fn recorded(folder: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(folder.join(DIGESTS)).with_context(|| format!("failed to read {DIGESTS}"))?;
    let line = |line: &str| line.split_once("  ").map(|(digest, name)| (name.to_owned(), digest.to_owned()));
    Ok(text.lines().filter_map(line).collect())
}

fn digest(root: &Path, sources: &[&str]) -> Result<String> {
    let mut hash = Sha256::new();
    for source in sources {
        hash.update(fs::read(root.join(source)).with_context(|| format!("failed to read {source}"))?);
    }
    Ok(URL_SAFE_NO_PAD.encode(hash.finalize()))
}

fn shoot(url: &str, file: &Path) -> Result<()> {
    let output = capture(
        task(NODE.path()?)
            .arg(paths::root().join("tests/web/picture.mjs"))
            .args([url, &file.display().to_string()])
            .env("CHROMIUM", browser::chromium()?)
            .env("LIBRARIES", PLAYWRIGHT.location().context("Playwright is missing")?),
    )?;
    ensure!(output.success, "no picture of {url}: {}", output.text.trim_end());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_stale_after_a_change_of_one_of_its_sources() {
        let folder = tempfile::tempdir().unwrap();
        for source in PICTURES.iter().flat_map(|picture| picture.sources) {
            fs::create_dir_all(folder.path().join(source).parent().unwrap()).unwrap();
            fs::write(folder.path().join(source), *source).unwrap();
        }
        let now = |picture: &Picture| (picture.name.to_owned(), digest(folder.path(), picture.sources).unwrap());
        let recorded = PICTURES.iter().map(now).collect();
        assert_eq!(stale(folder.path(), &recorded).unwrap(), [""; 0]);
        fs::write(folder.path().join("web/src/app.css"), "body {}").unwrap();
        assert_eq!(stale(folder.path(), &recorded).unwrap(), ["home"]);
        assert_eq!(stale(folder.path(), &BTreeMap::new()).unwrap().len(), PICTURES.len());
    }
}
