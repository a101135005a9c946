//! `cargo build` and `cargo test` must enable the same features of each dependency. Otherwise Cargo compiles the dependency, and all crates
//! that depend on it, twice.

use std::collections::BTreeSet;
use std::process::Command;

use crate::files::root;

/// Each crate with its features, for these packages and kinds of dependencies.
fn features(selection: &[&str]) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p} {f}"])
        .args(selection)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).unwrap();
    text.lines().map(|line| line.replace(" (*)", "").replace(" (proc-macro)", "")).collect()
}

#[test]
fn a_build_of_the_programs_recompiles_no_crate_that_the_tests_have_compiled() {
    let packages = ["--package", "vitrine", "--package", "provider-sim", "--package", "trace-store"];
    let programs = features(&[&packages[..], &["--edges", "normal,build"]].concat());
    let everything = features(&["--workspace", "--edges", "normal,build,dev"]);
    assert!(programs.len() > 300, "{programs:?}");
    let twice: Vec<_> = programs.difference(&everything).collect();
    assert!(twice.is_empty(), "compiled twice: {twice:#?}");
}
