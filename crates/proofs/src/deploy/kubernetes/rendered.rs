//! The objects of a rendered overlay.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// The objects of an overlay.
pub struct Rendered {
    /// Objects of Kubernetes itself.
    pub own: Vec<Value>,
    /// Objects of the operators that extend Kubernetes.
    pub extensions: Vec<Value>,
}

/// API groups of the operators.
const OPERATORS: [&str; 2] = ["monitoring.coreos.com/", "external-secrets.io/"];

impl Rendered {
    /// Parses the output of Kustomize.
    pub fn parse(text: &str) -> Result<Self> {
        let objects = serde_norway::Deserializer::from_str(text).map(Value::deserialize).collect::<Result<Vec<_>, _>>()?;
        for object in &objects {
            ensure!(object["kind"].is_string() && object["metadata"]["name"].is_string(), "an object has no kind or no name: {object}");
            object["apiVersion"].as_str().context("an object has no apiVersion")?;
        }
        ensure!(!objects.is_empty(), "the overlay has no objects");
        let is_extension =
            |object: &Value| OPERATORS.iter().any(|group| object["apiVersion"].as_str().is_some_and(|name| name.starts_with(group)));
        let (extensions, own) = objects.into_iter().partition(is_extension);
        Ok(Self { own, extensions })
    }

    /// The number of objects.
    pub fn objects(&self) -> usize {
        self.own.len() + self.extensions.len()
    }

    /// Objects as documents of a YAML file; JSON is YAML.
    pub fn documents<'a>(objects: impl IntoIterator<Item = &'a Value>) -> String {
        objects.into_iter().fold(String::new(), |mut text, object| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "---\n{object}");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_operators_are_separate() {
        let text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\n\
                    apiVersion: monitoring.coreos.com/v1\nkind: Probe\nmetadata: {name: b}\n";
        let rendered = Rendered::parse(text).unwrap();
        assert_eq!((rendered.own.len(), rendered.extensions.len()), (1, 1));
        assert!(Rendered::documents(&rendered.own).starts_with("---\n{"));
        assert!(Rendered::parse("kind: Service\n").is_err(), "an object without a name");
    }
}
