//! Static assets: the bundle that `web/build.mjs` builds, embedded into the binary. File names contain a hash of the content, so a
//! browser may cache the files for a year.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use rust_embed::Embed;

use crate::http::extract::ApiPath;
use crate::http::{ApiError, Code};

/// Route of the assets.
pub const PATH: &str = "/assets/{file}";
/// Route from which browsers load an icon if the document names none.
pub const ICON: &str = "/favicon.ico";
/// The content behind a hashed name never changes (RFC 8246).
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// `/favicon.ico` carries no hash.
const FOR_AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");
/// Content codings of the bundle's compressed copies, in order of preference, with their file extensions.
const COMPRESSED: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

#[derive(Embed)]
#[folder = "web/dist/"]
struct Files;

/// The files that every page loads.
pub struct Assets {
    pub script: String,
    pub style: String,
    pub icon: String,
}

impl Assets {
    /// The paths from the bundle's manifest, read once. A path has no file name if the bundle is missing.
    pub fn get() -> &'static Self {
        static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
            let manifest = Files::get("manifest.json").and_then(|file| serde_json::from_slice::<HashMap<String, String>>(&file.data).ok());
            let mut manifest = manifest.unwrap_or_default();
            let mut path = |name: &str| format!("/assets/{}", manifest.remove(name).unwrap_or_default());
            Assets { script: path("app.js"), style: path("app.css"), icon: path("favicon.svg") }
        });
        &ASSETS
    }
}

/// Serves a file of the bundle.
pub async fn serve(ApiPath(name): ApiPath<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    file(&name, &headers, FOR_EVER).ok_or_else(|| ApiError::new(Code::NotFound))
}

/// Serves the icon at [`ICON`].
pub async fn icon(headers: HeaderMap) -> Result<Response, ApiError> {
    let name = Assets::get().icon.trim_start_matches("/assets/");
    file(name, &headers, FOR_AN_HOUR).ok_or_else(|| ApiError::new(Code::NotFound))
}

fn file(name: &str, headers: &HeaderMap, keep: HeaderValue) -> Option<Response> {
    let media = media_type(name)?;
    // Several header lines form one list (RFC 9110, 5.3).
    let lines: Vec<&str> = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok()).collect();
    let accepted = lines.join(",");
    let mut compressed = COMPRESSED.into_iter().filter(|(coding, _)| accepts(&accepted, coding));
    let found = compressed.find_map(|(coding, ending)| Some((Some(coding), Files::get(&format!("{name}{ending}"))?)));
    let (coding, file) = found.or_else(|| Some((None, Files::get(name)?)))?;
    let mut response = ([(CONTENT_TYPE, HeaderValue::from_static(media)), (CACHE_CONTROL, keep)], file.data).into_response();
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(coding) = coding {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    Some(response)
}

/// Whether the client lists a coding with a weight above zero (RFC 9110, 12.5.3).
fn accepts(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, "q=1"));
        name.trim().eq_ignore_ascii_case(coding) && is_above_zero(weight.trim())
    })
}

/// Whether a weight is valid and above zero (RFC 9110, 12.4.2).
fn is_above_zero(weight: &str) -> bool {
    let Some(value) = weight.strip_prefix(['q', 'Q']).and_then(|rest| rest.strip_prefix('=')) else { return false };
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let is_zero = decimals.bytes().all(|digit| digit == b'0');
    let is_valid = decimals.len() <= 3 && decimals.bytes().all(|digit| digit.is_ascii_digit());
    is_valid
        && match whole {
            "0" => !is_zero,
            "1" => is_zero,
            _ => false,
        }
}

/// The media type by file extension. Other files of the bundle, such as the manifest, are not served.
fn media_type(name: &str) -> Option<&'static str> {
    Some(match name.rsplit('.').next()? {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_is_accepted_with_a_valid_weight_above_zero() {
        for (accepted, is_accepted) in [
            ("br", true),
            ("gzip, deflate, br", true),
            ("gzip;q=0.5, BR;q=1.0", true),
            ("gzip ; q=0, br; q=1.0", true),
            ("\tbr\t;\tq=0.001\t,gzip", true),
            ("br;Q=1.000", true),
            ("br;q=1.", true),
            ("", false),
            (",,", false),
            ("gzip", false),
            ("x-br", false),
            ("br;q=0, gzip", false),
            ("br; q=0.000", false),
            ("br;q=0.", false),
            // The grammar does not allow these.
            ("br;q=0.0001", false),
            ("br;q=1.001", false),
            ("br;q=2", false),
            ("br;q=.5", false),
            ("br;q=1e0", false),
            ("br;q=inf", false),
            ("br;q=+1", false),
            ("br;q = 1", false),
            ("br;q", false),
            ("br;q=", false),
            ("br;level=9", false),
        ] {
            assert_eq!(accepts(accepted, "br"), is_accepted, "{accepted:?}");
        }
    }
}
