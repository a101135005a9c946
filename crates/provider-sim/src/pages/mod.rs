//! The HTML pages. Use [`escape`] for every value from a request before it becomes part of a page.

mod consent;
mod home;

use std::fmt;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use axum::response::{Html, IntoResponse, Response};

pub use consent::consent;
pub use home::home;

use crate::platform::Platform;

const STYLE: &str = include_str!("style.css");
/// Pages load nothing, have only inline styles, and may not be framed. The policy does not restrict form targets, because the response to
/// the form redirects to the client.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/// Text that `Display` writes with HTML escapes. The result is safe between tags and in quoted attributes.
pub struct Escaped<'a>(&'a str);

/// Escapes text for HTML.
pub fn escape(text: &str) -> Escaped<'_> {
    Escaped(text)
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0.chars().try_for_each(|c| match c {
            '&' => formatter.write_str("&amp;"),
            '<' => formatter.write_str("&lt;"),
            '>' => formatter.write_str("&gt;"),
            '"' => formatter.write_str("&quot;"),
            '\'' => formatter.write_str("&#39;"),
            c => formatter.write_char(c),
        })
    }
}

/// The error page in place of a redirect, for a login with an invalid client, redirect URI or form.
pub fn refusal(platform: Platform, reason: &str) -> Response {
    let body = format!(
        "<h1>This login cannot continue</h1>\n<p>{}.</p>\n<p class=\"quiet\">Simulated {} redirects only to the registered URI.</p>",
        escape(reason),
        platform.title()
    );
    page(StatusCode::BAD_REQUEST, "This login cannot continue", &body)
}

/// A complete page. `title` and `body` are HTML: the caller escapes the values in them.
fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title} - simulator</title>
<style>{STYLE}</style>
</head>
<body>
<p class="banner" role="note"><strong>Simulator: nothing here is real.</strong></p>
<main>
{body}
</main>
</body>
</html>
"#
    );
    (status, [(CACHE_CONTROL, "no-store"), (CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response()
}
