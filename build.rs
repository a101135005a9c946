//! Tells Cargo to recompile the program when an embedded file changes: a migration, or the browser bundle, which
//! is built from `web/` before Cargo runs. Also passes the compiler's version to the program.

use std::env;
use std::path::Path;
use std::process::Command;

const MIGRATIONS: &str = "migrations";
const BUNDLE: &str = "web/dist/manifest.json";

fn main() {
    println!("cargo::rerun-if-changed={MIGRATIONS}");
    println!("cargo::rerun-if-changed={BUNDLE}");
    println!("cargo::rustc-env=RUSTC_VERSION={}", compiler_version());
    if !Path::new(BUNDLE).exists() {
        println!("cargo::error={BUNDLE} is missing: `cargo xtask web --install` makes it");
    }
}

/// The second word of a line such as `rustc 1.95.0 (59807616e 2026-04-14)`.
fn compiler_version() -> String {
    let output = env::var_os("RUSTC").and_then(|compiler| Command::new(compiler).arg("--version").output().ok());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.split(' ').nth(1).unwrap_or("unknown").to_owned()
}
