//! The reports that a browser may send. Names become label values, so only listed names are accepted; measurements must be plausible.

use std::ops::RangeInclusive;

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer};
use utoipa::openapi::Schema;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, Type};

use crate::domain::validation::{integer, one_of, whole};
use crate::metrics::labels::{AssetType, CallStatus, CalledEndpoint, ClientError, PageRoute, Vital};

/// Upper bound of a plausible duration in milliseconds. Longer durations come from pages in the background and are not useful.
const MAX_MS: f64 = 600_000.0;
/// Upper bound of a plausible layout shift. Real values are far smaller.
const MAX_SHIFT: f64 = 100.0;

/// An event in a browser.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Report {
    /// A page was shown.
    PageView(PageRoute),
    /// A web vital and its value in seconds.
    Vital(PageRoute, Vital, f64),
    /// Cumulative layout shift of the page.
    Shift(PageRoute, f64),
    /// The page called the API.
    Call(CalledEndpoint, CallStatus),
    /// An asset was loaded, with the duration in seconds.
    Asset(AssetType, f64),
    /// An error occurred.
    Error(ClientError),
    /// A part of the page failed to start.
    Boundary(PageRoute),
}

/// Name of the layout shift among the vitals.
const SHIFT: &str = "cls";
/// Accepted statuses of a call with a response.
const STATUSES: RangeInclusive<u16> = 200..=599;
/// Stands for a call without a response.
const NO_STATUS: u16 = 0;

impl Report {
    /// Schema of a report, with alternatives by kind.
    pub fn schema() -> Schema {
        let pages = || one_of(PageRoute::MEMBERS.iter().map(|page| page.name()));
        let milliseconds = || number(MAX_MS);
        let status = OneOfBuilder::new().item(integer(NO_STATUS.into(), NO_STATUS.into()));
        let status = status.item(integer((*STATUSES.start()).into(), (*STATUSES.end()).into()));
        let vitals = one_of(Vital::MEMBERS.iter().map(|vital| vital.name()));
        let endpoints = one_of(CalledEndpoint::MEMBERS.iter().map(|endpoint| endpoint.name()));
        let assets = one_of(AssetType::MEMBERS.iter().map(|asset| asset.name()));
        let errors = one_of(ClientError::MEMBERS.iter().map(|error| error.name()));
        OneOfBuilder::new()
            .item(event("page_view", [("route", pages())]))
            .item(event("web_vital", [("route", pages()), ("vital", vitals), ("value", milliseconds())]))
            .item(event("web_vital", [("route", pages()), ("vital", one_of([SHIFT])), ("value", number(MAX_SHIFT))]))
            .item(event("api_call", [("endpoint", endpoints), ("status", status.into())]))
            .item(event("asset", [("type", assets), ("value", milliseconds())]))
            .item(event("client_error", [("type", errors)]))
            .item(event("error_boundary", [("route", pages())]))
            .into()
    }
}

/// Schema of an event that has `kind` and exactly these fields.
fn event<const COUNT: usize>(kind: &'static str, fields: [(&str, Schema); COUNT]) -> Schema {
    let event = ObjectBuilder::new().schema_type(Type::Object).property("kind", one_of([kind])).required("kind");
    let event = fields.into_iter().fold(event, |event, (name, schema)| event.property(name, schema).required(name));
    event.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false))).into()
}

fn number(most: f64) -> Schema {
    ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0.0)).maximum(Some(most)).into()
}

/// A report in its transmitted form.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Sent {
    PageView {
        #[serde(deserialize_with = "page")]
        route: PageRoute,
    },
    WebVital {
        #[serde(deserialize_with = "page")]
        route: PageRoute,
        vital: String,
        value: f64,
    },
    ApiCall {
        #[serde(deserialize_with = "endpoint")]
        endpoint: CalledEndpoint,
        #[serde(deserialize_with = "whole")]
        status: u16,
    },
    Asset {
        #[serde(rename = "type", deserialize_with = "asset")]
        asset: AssetType,
        value: f64,
    },
    ClientError {
        #[serde(rename = "type", deserialize_with = "client_error")]
        error: ClientError,
    },
    ErrorBoundary {
        #[serde(deserialize_with = "page")]
        route: PageRoute,
    },
}

impl<'de> Deserialize<'de> for Report {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Sent::deserialize(deserializer)? {
            Sent::PageView { route } => Self::PageView(route),
            Sent::WebVital { route, vital, value } if vital == SHIFT => Self::Shift(route, within(value, MAX_SHIFT)?),
            Sent::WebVital { route, vital, value } => Self::Vital(route, listed(&vital, Vital::named, "a vital")?, seconds(value)?),
            Sent::ApiCall { endpoint, status } => Self::Call(endpoint, call_status(status)?),
            Sent::Asset { asset, value } => Self::Asset(asset, seconds(value)?),
            Sent::ClientError { error } => Self::Error(error),
            Sent::ErrorBoundary { route } => Self::Boundary(route),
        })
    }
}

fn page<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PageRoute, D::Error> {
    listed(&String::deserialize(deserializer)?, PageRoute::named, "a page")
}

fn endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<CalledEndpoint, D::Error> {
    listed(&String::deserialize(deserializer)?, CalledEndpoint::named, "an endpoint that pages call")
}

fn asset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AssetType, D::Error> {
    listed(&String::deserialize(deserializer)?, AssetType::named, "a type of file")
}

fn client_error<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClientError, D::Error> {
    listed(&String::deserialize(deserializer)?, ClientError::named, "a type of error")
}

fn listed<T, E: Error>(name: &str, find: impl Fn(&str) -> Option<T>, wanted: &str) -> Result<T, E> {
    // The message must not quote the name, because any client can send any text.
    find(name).ok_or_else(|| E::invalid_value(Unexpected::Other("an unknown name"), &wanted))
}

fn seconds<E: Error>(milliseconds: f64) -> Result<f64, E> {
    Ok(within::<E>(milliseconds, MAX_MS)? / 1000.0)
}

fn within<E: Error>(value: f64, most: f64) -> Result<f64, E> {
    if (0.0..=most).contains(&value) {
        return Ok(value);
    }
    Err(E::invalid_value(Unexpected::Float(value), &"a plausible value"))
}

/// The class of a status; 0 means a call without a response. Pages hardly ever see a 3xx, so it has no class of its own: the browser
/// follows redirects, and replaces a 304 with its cached response.
fn call_status<E: Error>(status: u16) -> Result<CallStatus, E> {
    Ok(match status {
        NO_STATUS => CallStatus::Failed,
        200..400 => CallStatus::Success,
        400..500 => CallStatus::Refused,
        500..600 => CallStatus::Failure,
        _ => return Err(E::invalid_value(Unexpected::Unsigned(status.into()), &"0 or an HTTP status from 200 to 599")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(sent: Value) -> Result<Report, String> {
        serde_json::from_value(sent).map_err(|error| error.to_string())
    }

    #[test]
    fn statuses_are_integers_in_any_notation() {
        let read = |status: &str| {
            let sent = format!(r#"{{ "kind": "api_call", "endpoint": "/api/projects", "status": {status} }}"#);
            serde_json::from_str::<Report>(&sent)
        };
        for status in ["200", "200.0", "2e2"] {
            assert_eq!(read(status).unwrap(), Report::Call(CalledEndpoint::Projects, CallStatus::Success), "{status}");
        }
        for status in ["200.5", "-1", "-200.0", "199.0", "65736", "1e30", "\"200\"", "null"] {
            assert!(read(status).is_err(), "{status}");
        }
    }

    #[test]
    fn reports_of_pages_are_parsed() {
        let lcp = read(json!({ "kind": "web_vital", "route": "/", "vital": "lcp", "value": 812.5 }));
        assert_eq!(lcp, Ok(Report::Vital(PageRoute::Home, Vital::Lcp, 0.8125)));
        let shift = read(json!({ "kind": "web_vital", "route": "/about", "vital": "cls", "value": 0.05 }));
        assert_eq!(shift, Ok(Report::Shift(PageRoute::About, 0.05)));
        let lost = read(json!({ "kind": "api_call", "endpoint": "/api/projects", "status": 0 }));
        assert_eq!(lost, Ok(Report::Call(CalledEndpoint::Projects, CallStatus::Failed)));
    }

    #[test]
    fn unlisted_values_are_rejected_without_being_quoted() {
        for sent in [
            json!({ "kind": "page_view", "route": "/projects/secret" }),
            json!({ "kind": "page_view", "route": "/", "secret": 1 }),
            json!({ "kind": "web_vital", "route": "/", "vital": "secret", "value": 1 }),
            json!({ "kind": "client_error", "type": "secret" }),
        ] {
            let refused = read(sent).unwrap_err();
            assert!(!refused.contains("secret\"") || refused.contains("unknown field"), "{refused}");
        }
        for (value, vital) in [(-1.0, "lcp"), (1e9, "lcp"), (101.0, "cls")] {
            assert!(read(json!({ "kind": "web_vital", "route": "/", "vital": vital, "value": value })).is_err());
        }
        assert!(read(json!({ "kind": "api_call", "endpoint": "/api/projects", "status": 99 })).is_err());
    }
}
