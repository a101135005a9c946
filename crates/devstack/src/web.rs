//! The browser bundle: `web/dist`, built from `web/` with Node.js. The application embeds it, so every verb that compiles the application
//! builds it first. `web/build.mjs` defines its contents; the Dockerfile runs the same two commands, `npm ci` and
//! `node build.mjs`.

use anyhow::{Result, ensure};

use crate::node::Project;
use crate::process::run;

const WEB: Project = Project { folder: "web", verb: "web", made: &["node_modules", "dist"] };

/// Builds the bundle, unless it is newer than all of its sources. Only `install` installs the packages for the build.
pub fn bundle(install: bool) -> Result<()> {
    if WEB.is_made("dist/manifest.json")? {
        return Ok(());
    }
    WEB.packages(install)?;
    eprintln!("building web/dist");
    ensure!(run(WEB.node()?.arg("build.mjs"))?, "failed to build web/dist");
    Ok(())
}

/// Type-checks the sources; returns whether they are correct.
pub fn check(install: bool) -> Result<bool> {
    WEB.check(install)
}
