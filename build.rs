//! Tells Cargo what the program embeds, so that a change of it compiles the program anew: migrations, and what browsers load.
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
