//! The attributes and names of the service's spans, read from the code that writes them (`src/telemetry/`), and those that a query
//! of traces uses.

use std::collections::BTreeSet;

use regex_lite::Regex;

use crate::files::text;

/// The attributes and the names of spans.
pub struct Spans {
    attributes: BTreeSet<String>,
    /// The first words of the names.
    verbs: BTreeSet<String>,
}

impl Spans {
    pub fn read() -> Self {
        let code = text("src/telemetry/spans.rs") + &text("src/telemetry/traces/subjects.rs");
        let of = |pattern: &str| {
            let pattern = Regex::new(pattern).unwrap();
            pattern.captures_iter(&code).map(|found| found[1].to_owned()).collect::<BTreeSet<_>>()
        };
        let attributes = of(r#"KeyValue::new\("([a-z._]+)""#);
        let verbs = of(r#"format!\("([a-z]+) \{"#);
        assert!(attributes.len() > 10 && verbs.len() > 3, "{attributes:?} {verbs:?}");
        Self { attributes, verbs }
    }

    /// Whether spans have this attribute.
    pub fn have(&self, attribute: &str) -> bool {
        self.attributes.contains(attribute)
    }

    /// The attributes and names in a query of traces that no span has.
    pub fn unknown(&self, query: &str) -> Vec<String> {
        let attributes = Regex::new(r"span\.([a-z_.]+)").unwrap();
        let names = Regex::new(r#"name =~? "\(?([a-z|]+)\)? "#).unwrap();
        let attributes = attributes.captures_iter(query).map(|found| found[1].to_owned()).filter(|attribute| !self.have(attribute));
        let verbs = names.captures_iter(query).flat_map(|found| found[1].split('|').map(str::to_owned).collect::<Vec<_>>());
        attributes.chain(verbs.filter(|verb| !self.verbs.contains(verb))).collect()
    }
}

#[test]
fn attributes_and_names_that_no_span_has_are_found_in_a_query() {
    let spans = Spans::read();
    assert_eq!(spans.unknown(r#"{ kind = server && span.http.route = "/" && name =~ "(emit|deliver) .+" }"#), [""; 0]);
    assert_eq!(spans.unknown(r#"{ span.http.target = "/" && name = "send x" }"#), ["http.target", "send"]);
}
