//! Checks the files that other programs read: Prometheus' configuration, rules and rule tests, Alertmanager's configuration, and both
//! Caddyfiles. The checks of rules are in `rule_tools`, those of notifications in `notifications`.

use anyhow::Result;
use devstack::paths;
use devstack::report::Report;
use devstack::tools::CADDY;
use rule_tools::checks::{check, copy_configuration, tool};
use rule_tools::rules;

use crate::notifications;

/// Adds every check to a report.
pub fn all(report: &mut Report) -> Result<()> {
    let folder = paths::temporary("checks")?;
    let root = folder.path();
    copy_configuration(report, root)?;
    rules::all(report, &root.join("prometheus"))?;
    notifications::all(report, root)?;
    report.step("caddy validate", || {
        let mut caddy = tool(&CADDY)?;
        // Caddy creates its state folder even to validate.
        caddy.env("XDG_DATA_HOME", root).env("XDG_CONFIG_HOME", root);
        caddy.args(["validate", "--adapter", "caddyfile", "--config", "Caddyfile"]);
        check(caddy.current_dir(paths::root()))
    })?;
    for file in ["Caddyfile", "monitoring/runbooks/site/Caddyfile"] {
        report.step("caddy fmt", || check(tool(&CADDY)?.args(["fmt", "--diff", file]).current_dir(paths::root())))?;
    }
    Ok(())
}
