//! What a browser may report. Names are those of the labels, and values those that a visit can have.

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer};

use crate::metrics::labels::{AssetType, CallStatus, CalledEndpoint, ClientError, PageRoute, Vital};

/// Longest time that is believed, in milliseconds: who leaves a page in the background for longer tells nothing of the service.
const LONGEST_MS: f64 = 600_000.0;
/// Above any layout shift that was ever seen.
const FARTHEST: f64 = 100.0;

/// Something that happened in a browser.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Report {
    /// A page was shown.
    PageView(PageRoute),
    /// What a visitor waited for, in seconds.
    Vital(PageRoute, Vital, f64),
    /// How much the page moved.
    Shift(PageRoute, f64),
    /// The page called the interface.
    Call(CalledEndpoint, CallStatus),
    /// A file was loaded, in seconds.
    Asset(AssetType, f64),
    /// Something went wrong.
    Error(ClientError),
    /// A part of the page could not start.
    Boundary(PageRoute),
}

/// A report as it is sent.
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
            Sent::WebVital { route, vital, value } if vital == "cls" => Self::Shift(route, within(value, FARTHEST)?),
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
    // Not the name itself: the answer would quote what a stranger sent.
    find(name).ok_or_else(|| E::invalid_value(Unexpected::Other("something else"), &wanted))
}

fn seconds<E: Error>(milliseconds: f64) -> Result<f64, E> {
    Ok(within::<E>(milliseconds, LONGEST_MS)? / 1000.0)
}

fn within<E: Error>(value: f64, most: f64) -> Result<f64, E> {
    if (0.0..=most).contains(&value) {
        return Ok(value);
    }
    Err(E::invalid_value(Unexpected::Float(value), &"a value that a visit can have"))
}

/// The class of a status; 0 stands for no answer.
fn call_status<E: Error>(status: u16) -> Result<CallStatus, E> {
    Ok(match status {
        0 => CallStatus::Failed,
        // Redirects are followed by the browser, and what has not changed was there already.
        200..400 => CallStatus::Success,
        400..500 => CallStatus::Refused,
        500..600 => CallStatus::Failure,
        _ => return Err(E::invalid_value(Unexpected::Unsigned(status.into()), &"a status")),
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
    fn what_pages_report_is_understood() {
        let lcp = read(json!({ "kind": "web_vital", "route": "/", "vital": "lcp", "value": 812.5 }));
        assert_eq!(lcp, Ok(Report::Vital(PageRoute::Home, Vital::Lcp, 0.8125)));
        let shift = read(json!({ "kind": "web_vital", "route": "/about", "vital": "cls", "value": 0.05 }));
        assert_eq!(shift, Ok(Report::Shift(PageRoute::About, 0.05)));
        let lost = read(json!({ "kind": "api_call", "endpoint": "/api/projects", "status": 0 }));
        assert_eq!(lost, Ok(Report::Call(CalledEndpoint::Projects, CallStatus::Failed)));
    }

    #[test]
    fn what_is_not_listed_is_refused_without_being_quoted() {
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
