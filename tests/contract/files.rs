//! Access to the files of the checkout.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The root of the checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file; `path` is relative to the checkout.
pub fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files with this extension in a folder, sorted; fails if there are none.
pub fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let found = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = found.filter(|path| path.extension().is_some_and(|end| end == extension)).collect();
    assert!(!files.is_empty(), "{folder} contains no .{extension} files");
    files.sort();
    files
}

/// A file's name without its extension.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// Parses a YAML file; `path` is absolute.
pub fn yaml(path: &Path) -> Value {
    serde_norway::from_str(&fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The value of a key in a mapping of docker-compose.yml, or else in the mapping that it extends (`<<`).
pub fn merged<'a>(mapping: &'a Value, key: &str) -> &'a Value {
    match mapping.get("<<") {
        Some(base) if mapping.get(key).is_none() => merged(base, key),
        _ => &mapping[key],
    }
}

/// The items of a list; none if the value is not a list.
pub fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Every rule of every rule file.
pub fn rules() -> Vec<Value> {
    let files: Vec<Value> = files("monitoring/prometheus/rules", "yml").iter().map(|path| yaml(path)).collect();
    files.iter().flat_map(|file| items(&file["groups"])).flat_map(|group| items(&group["rules"])).cloned().collect()
}

/// Every rule that raises an alert.
pub fn alerts() -> Vec<Value> {
    rules().into_iter().filter(|rule| rule["alert"].is_string()).collect()
}

/// Every test of every file of rule tests.
pub fn rule_tests() -> Vec<Value> {
    let files: Vec<Value> = files("monitoring/prometheus/tests", "yml").iter().map(|path| yaml(path)).collect();
    files.iter().flat_map(|file| items(&file["tests"])).cloned().collect()
}

/// Grafana's folders of dashboards, by the names of their folders in `monitoring/grafana/dashboards/`.
pub const DASHBOARD_FOLDERS: [&str; 2] = ["service", "infrastructure"];

/// The files of the dashboards of every folder.
pub fn dashboard_files() -> Vec<PathBuf> {
    DASHBOARD_FOLDERS.iter().flat_map(|folder| files(&format!("monitoring/grafana/dashboards/{folder}"), "json")).collect()
}

/// Every dashboard, with its file's name.
pub fn dashboards() -> Vec<(String, Value)> {
    let read = |path: PathBuf| (stem(&path), serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap());
    dashboard_files().into_iter().map(read).collect()
}

/// Every text under a key, at any depth.
pub fn texts_under(value: &Value, key: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect_texts(value, key, &mut found);
    found
}

fn collect_texts(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == key {
                    found.extend(value.as_str().map(str::to_owned));
                }
                collect_texts(value, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, key, found)),
        _ => {}
    }
}

/// A value of docker-compose.yml when no variable is set: `${A:-b${C-d}}` becomes `bd`.
pub fn by_default(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(start) = text.rfind("${") {
        let end = start + text[start..].find('}').unwrap();
        // The name of a variable has no hyphen.
        let default = text[start + 2..end].split_once('-').unwrap().1.to_owned();
        text.replace_range(start..=end, &default);
    }
    text
}

#[test]
fn nested_defaults_are_resolved() {
    assert_eq!(by_default("${A:-http://localhost:${B:-3002}}/x"), "http://localhost:3002/x");
    assert_eq!(by_default("${A-b-c}${D:-}"), "b-c");
    assert_eq!(by_default("plain"), "plain");
}
