//! The OpenAPI description: requirements on all of its operations.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use vitrine::operations::INTERNAL;
use vitrine::{interface, router};

use crate::files::root;

fn described() -> Value {
    serde_json::to_value(interface::public(router::description())).unwrap()
}

/// Every operation: its method and path, and its description.
fn operations(described: &Value) -> Vec<(String, &Value)> {
    let paths = described["paths"].as_object().unwrap().iter();
    let operations = paths
        .flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |(method, operation)| (format!("{method} {path}"), operation)));
    operations.collect()
}

fn resolved<'a>(described: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => described.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference} does not exist")),
        None => value,
    }
}

#[test]
fn every_error_response_is_a_problem() {
    let described = described();
    for (name, operation) in operations(&described) {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let answer = resolved(&described, answer);
            assert!(answer["description"].as_str().is_some_and(|text| !text.is_empty()), "{name} {status} has no description");
            if status.as_str() >= "400" {
                let media: Vec<&String> = answer["content"].as_object().unwrap().keys().collect();
                assert_eq!(media, ["application/problem+json"], "{name} {status}");
                let schema = &answer["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{name} {status}");
            }
        }
    }
}

#[test]
fn every_operation_id_is_unique_and_every_link_names_an_existing_operation() {
    let described = described();
    let operations = operations(&described);
    let names: BTreeSet<&str> = operations.iter().map(|(_, operation)| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), operations.len());
    let mut links = 0;
    for (name, operation) in &operations {
        for answer in operation["responses"].as_object().unwrap().values() {
            for link in answer["links"].as_object().into_iter().flat_map(serde_json::Map::values) {
                assert!(names.contains(link["operationId"].as_str().unwrap()), "{name}: {link}");
                links += 1;
            }
        }
    }
    assert!(links > 10, "only {links} links were found");
}

/// The alternatives of a schema, or the schema itself.
fn options(schema: &Value) -> Vec<&Value> {
    schema["oneOf"].as_array().map_or_else(|| vec![schema], |options| options.iter().collect())
}

/// Whether a schema limits its values: by a list, a format, a maximum or a maximum length. A pattern also limits them if it contains
/// neither `*` nor `+`.
fn is_bounded(schema: &Value) -> bool {
    let is_finite = |pattern: &str| !pattern.contains(['*', '+']);
    let is_limited = ["enum", "format", "maximum", "maxLength"].iter().any(|key| !schema[*key].is_null());
    is_limited || schema["pattern"].as_str().is_some_and(is_finite)
}

#[test]
fn every_body_and_every_parameter_is_bounded() {
    let described = described();
    for (name, operation) in operations(&described) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let schema = resolved(&described, &parameter["schema"]);
            // Lists of entity tags need no limit of their own: the maximum size of a request's head limits them.
            let is_tags = parameter["name"].as_str().unwrap().starts_with("If-") && !schema["pattern"].is_null();
            // Parameters of callbacks have no limit in the description, because platforms choose their values.
            assert!(is_bounded(schema) || is_tags || name.ends_with("/callback"), "{name}: {parameter}");
        }
        let Some(body) = operation.pointer("/requestBody/content/application~1json/schema") else { continue };
        let body = resolved(&described, body);
        assert_eq!(body["additionalProperties"], Value::Bool(false), "{name}: {body}");
        for (field, schema) in body["properties"].as_object().unwrap() {
            for option in options(schema) {
                let option = resolved(&described, option);
                let is_text = option["type"] == "string" && option["enum"].is_null() && option["format"] != "uuid";
                // These fields need no maximum length: the service accepts only names from its own lists.
                let is_listed = name == "put /api/faults/{id}" && matches!(field.as_str(), "route" | "table");
                assert!(!is_text || is_listed || !option["maxLength"].is_null(), "{name}: {field} {option}");
                let is_number = option["type"] == "integer" && option["enum"].is_null();
                assert!(!is_number || !option["maximum"].is_null(), "{name}: {field} {option}");
                assert!(option["type"] != "array" || !option["items"].is_null(), "{name}: {field} {option}");
            }
        }
    }
}

#[test]
fn every_event_of_a_beacon_is_bounded() {
    let described = described();
    let body = described.pointer("/paths/~1api~1rum/post/requestBody/content/application~1json/schema").unwrap();
    let events = &resolved(&described, body)["properties"]["events"];
    assert!(!events["maxItems"].is_null(), "{events}");
    let kinds = options(&events["items"]);
    assert!(kinds.len() > 5, "only {} kinds of events were found", kinds.len());
    for event in kinds {
        assert_eq!(event["additionalProperties"], Value::Bool(false), "{event}");
        for (field, schema) in event["properties"].as_object().unwrap() {
            assert!(options(schema).into_iter().all(is_bounded), "{field}: {schema}");
        }
    }
}

#[test]
fn routes_that_the_edge_refuses_are_not_described() {
    let described = described();
    for path in INTERNAL {
        assert!(described["paths"][path].is_null(), "{path}");
    }
}

#[test]
fn responses_of_the_edge_itself_are_described() {
    let caddyfile = fs::read_to_string(root().join("Caddyfile")).unwrap();
    let map = caddyfile.split("{problem.code} {problem.title} {problem.detail} {").nth(1).unwrap().split("\n\t\t}").next().unwrap();
    let answers = map.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?.to_owned()))
    });
    // The edge answers internal routes with 404, and the description omits these routes.
    let answers: BTreeMap<u16, String> = answers.filter(|(status, _)| *status != 404).collect();
    let expected: BTreeMap<u16, String> = interface::EDGE.map(|(status, code)| (status, code.to_owned())).into();
    assert_eq!(answers, expected);
    let default = map.lines().find_map(|line| line.trim().strip_prefix("default ")).and_then(|rest| rest.split(' ').next());
    assert_eq!(default, Some(interface::EDGE_DEFAULT));
    let described = described();
    let introduction = described["info"]["description"].as_str().unwrap();
    assert!(introduction.contains(&format!("`{}`", interface::EDGE_DEFAULT)), "{introduction}");
    for (name, operation) in operations(&described) {
        for status in expected.keys() {
            assert!(!operation["responses"][status.to_string()].is_null(), "{name} {status}");
        }
    }
}
