//! The browser bundle: `web/dist`, built from `web/` with Node.js. The application embeds it, so every verb that compiles the application
//! builds the bundle first. `web/build.mjs` defines the contents of the bundle. The Dockerfile builds it with the same commands, `npm ci`
//! and `node build.mjs`.

use anyhow::{Result, ensure};

use crate::node::Project;
use crate::process::run;

const WEB: Project = Project { folder: "web", verb: "web", made: &["node_modules", "dist"] };

/// Builds the bundle, unless it is newer than all of its sources. Installs missing or old packages only if `install` is set.
pub fn bundle(install: bool) -> Result<()> {
    if WEB.is_made("dist/manifest.json")? {
        return Ok(());
    }
    WEB.packages(install)?;
    eprintln!("building web/dist");
    ensure!(run(WEB.node()?.arg("build.mjs"))?, "failed to build web/dist");
    Ok(())
}

/// Whether the packages of the lock file are installed.
pub(crate) fn has_packages() -> bool {
    WEB.has_packages()
}

/// Type-checks the sources; returns whether they are correct.
pub fn check(install: bool) -> Result<bool> {
    WEB.check(install)
}
