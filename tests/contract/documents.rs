//! Documents generated from code: the committed files must be up to date.

use std::fs;

use vitrine::metrics::document;
use vitrine::{interface, router};

use crate::files::root;

/// Asserts that a file has this text. With `UPDATE_GENERATED`, writes it first.
pub fn assert_generated(path: &str, text: &str) {
    let path = root().join(path);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{} is out of date: run `cargo xtask catalogue`", path.display());
}

#[test]
fn the_committed_metrics_document_matches_the_catalogue() {
    assert_generated("docs/METRICS.md", &document::markdown());
}

#[test]
fn the_committed_description_matches_the_routes() {
    let mut text = interface::public(router::description()).to_pretty_json().unwrap();
    text.push('\n');
    assert_generated("docs/openapi.json", &text);
}
