//! `deploy/kubernetes`: Kustomize renders each overlay, as `kubectl apply -k` would, and every rendered object is compared with the schemas
//! of several versions of Kubernetes, those of the operators, and policies. No cluster is needed, so nothing here proves that the
//! objects work together.
//!
//! `kubernetes/generated` derives files from those of Compose, `kubernetes/rendered` reads the objects of an overlay,
//! `kubernetes/references` follows their references, and `kubernetes/models.mjs` checks the objects that extend Kubernetes.

mod generated;
mod references;
mod rendered;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use devstack::paths;
use devstack::process::{capture, capture_ok, task};
use devstack::report::{Outcome, Report};
use devstack::tools::{CHECKOV, EXTERNAL_SECRETS, KUBECTL, KUBERNETES_VALIDATE, NODE, PROMETHEUS_OPERATOR, Tool};

use self::rendered::Rendered;

/// The tools of the checks.
pub const PROGRAMS: [&Tool; 6] = [&KUBECTL, &KUBERNETES_VALIDATE, &CHECKOV, &NODE, &PROMETHEUS_OPERATOR, &EXTERNAL_SECRETS];

const OVERLAYS: [&str; 2] = ["local", "production"];
/// The oldest version in which every field that we use is stable or on by default, a version between, and the newest of the validator.
const VERSIONS: [&str; 3] = ["1.31", "1.34", "1.37"];
/// The folders that the overlays read.
const SOURCES: [&str; 3] = ["deploy/kubernetes", "monitoring/blackbox", "monitoring/grafana"];

/// Adds the steps that write the generated files.
pub fn write(report: &mut Report) -> Result<()> {
    for file in generated::all()? {
        report.step(format!("write {}", file.path), || file.write())?;
    }
    Ok(())
}

/// Adds the checks.
pub fn add(report: &mut Report) -> Result<()> {
    for file in generated::all()? {
        report.step(format!("{} is up to date", file.path), || file.compare())?;
    }
    let folder = paths::temporary("kubernetes")?;
    let folder = folder.path();
    report.step("copies of the files, with secrets for the overlay local", || {
        for source in SOURCES {
            copy(&paths::root().join(source), &folder.join(source))?;
        }
        capture_ok(task("sh").arg(folder.join("deploy/kubernetes/overlays/local/make-secrets.sh")))?;
        Ok(Outcome::passed())
    })?;
    for overlay in OVERLAYS {
        let rendered = report.obtain(format!("{overlay}: render"), || render(folder, overlay))?;
        let Some(rendered) = rendered else { continue };
        report.step(format!("{overlay}: references"), || Ok(references::check(&rendered)))?;
        report.step(format!("{overlay}: schemas of Kubernetes {}", VERSIONS.join(", ")), || schemas(folder, &rendered))?;
        if !rendered.extensions.is_empty() {
            report.step(format!("{overlay}: schemas of the operators"), || models(folder, &rendered))?;
        }
        report.step(format!("{overlay}: policies"), || policies(folder, &rendered))?;
    }
    Ok(())
}

/// Folders that are not copied: the secrets of a developer, and installed packages.
const LEFT_OUT: [&str; 2] = ["secrets", "node_modules"];

/// Copies a folder.
fn copy(from: &Path, to: &Path) -> Result<()> {
    paths::ensure(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("failed to read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if !entry.file_type()?.is_dir() {
            fs::copy(entry.path(), &target).with_context(|| format!("failed to copy {}", entry.path().display()))?;
        } else if LEFT_OUT.iter().all(|name| entry.file_name() != *name) {
            copy(&entry.path(), &target)?;
        }
    }
    Ok(())
}

fn render(folder: &Path, overlay: &str) -> Result<(Rendered, Outcome)> {
    let source = folder.join("deploy/kubernetes/overlays").join(overlay);
    let rendered = Rendered::parse(&capture_ok(task(KUBECTL.path()?).arg("kustomize").arg(source))?)?;
    let note = format!("{} objects, {} of them for operators", rendered.objects(), rendered.extensions.len());
    Ok((rendered, Outcome::passed().with_note(note)))
}

/// Compares the objects of Kubernetes itself with its schemas. Unknown fields are failures.
fn schemas(folder: &Path, rendered: &Rendered) -> Result<Outcome> {
    let file = folder.join("objects.yaml");
    fs::write(&file, Rendered::documents(&rendered.own))?;
    let mut validate = task(KUBERNETES_VALIDATE.path()?);
    validate.args(["--strict", "--quiet"]);
    for version in VERSIONS {
        validate.args(["--kubernetes-version", version]);
    }
    let checked = capture(validate.arg(file))?;
    eprint!("{}", checked.text);
    if !checked.success {
        bail!("{}", checked.text.lines().next().unwrap_or("the validator failed without a message"));
    }
    Ok(Outcome { passed: u64::try_from(rendered.own.len() * VERSIONS.len())?, ..Outcome::default() })
}

/// Compares the objects that extend Kubernetes with the schemas of their operators.
fn models(folder: &Path, rendered: &Rendered) -> Result<Outcome> {
    let file = folder.join("extensions.json");
    fs::write(&file, serde_json::to_string(&rendered.extensions)?)?;
    let script = paths::root().join("crates/proofs/src/deploy/kubernetes/models.mjs");
    let checked = capture(task(NODE.path()?).arg(script).arg(file).args([PROMETHEUS_OPERATOR.path()?, EXTERNAL_SECRETS.path()?]))?;
    eprint!("{}", checked.text);
    Outcome::from_summary(&checked.text).context("the check of the schemas did not finish")
}

/// Scans all objects with the policies of checkov. `checkov.yaml` lists the exceptions for all objects; an annotation is one for an object.
fn policies(folder: &Path, rendered: &Rendered) -> Result<Outcome> {
    let file = folder.join("policies.yaml");
    fs::write(&file, Rendered::documents(rendered.own.iter().chain(&rendered.extensions)))?;
    let settings = paths::root().join("deploy/kubernetes/checkov.yaml");
    let scanned = capture(task(CHECKOV.path()?).arg("--file").arg(file).arg("--config-file").arg(settings).current_dir(folder))?;
    let outcome = counts(&scanned.text).with_context(|| scanned.text.clone())?;
    if outcome.failed > 0 || !scanned.success {
        eprintln!("{}", scanned.text.trim());
    }
    Ok(outcome)
}

/// The totals in the output of checkov. Skipped policies have a reason in the files, so the report does not count them.
fn counts(text: &str) -> Option<Outcome> {
    let line = text.lines().find(|line| line.starts_with("Passed checks: "))?;
    let count = |what: &str| line.split(", ").find_map(|part| part.strip_prefix(what)?.trim().parse().ok());
    let skipped: u64 = count("Skipped checks: ")?;
    let note = format!("{skipped} exceptions of single objects");
    Some(Outcome { passed: count("Passed checks: ")?, failed: count("Failed checks: ")?, note, ..Outcome::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_from_the_output_of_the_scanner() {
        let text = "kubernetes scan results:\n\nPassed checks: 445, Failed checks: 2, Skipped checks: 1\n\nCheck: CKV_K8S_25\n";
        let outcome = counts(text).unwrap();
        assert_eq!((outcome.passed, outcome.failed), (445, 2));
        assert_eq!(counts("Traceback"), None);
    }
}
