//! Tells Cargo to recompile the program when an embedded file changes: a migration, or the browser bundle, which
//! is built from `web/` before Cargo runs.

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
