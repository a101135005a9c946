//! Lists for Cargo the files that the program embeds, so that a change of one recompiles it: migrations and browser assets.
//! The latter is made from `web/` before Cargo is called.

use std::path::Path;

const MIGRATIONS: &str = "migrations";
const BUNDLE: &str = "web/dist/manifest.json";

fn main() {
    println!("cargo::rerun-if-changed={MIGRATIONS}");
    println!("cargo::rerun-if-changed={BUNDLE}");
    if !Path::new(BUNDLE).exists() {
        println!("cargo::error={BUNDLE} is missing: `cargo xtask web --install` makes it");
    }
}
