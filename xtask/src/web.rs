//! What browsers load: `web/dist`, made from `web/` by Node.js. The application embeds it, so every verb that compiles the
//! application has it made first. What is in it is said in `web/build.mjs`; the Dockerfile runs the same two commands.

use anyhow::{Result, ensure};

use crate::node::Project;
use crate::process::run;

const WEB: Project = Project { folder: "web", verb: "web", made: &["node_modules", "dist"] };

/// Makes the bundle, unless it is newer than all that it is made from. The packages that it is made with come with `install` alone.
pub fn bundle(install: bool) -> Result<()> {
    if WEB.is_made("dist/manifest.json")? {
        return Ok(());
    }
    WEB.packages(install)?;
    eprintln!("making web/dist");
    ensure!(run(WEB.node()?.arg("build.mjs"))?, "web/dist could not be made");
    Ok(())
}

/// Checks the types of the sources; answers whether they are right.
pub fn check(install: bool) -> Result<bool> {
    WEB.check(install)
}
