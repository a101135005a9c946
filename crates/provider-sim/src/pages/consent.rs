//! The consent page. It asks the user whether the client may use an account, and which one.

use std::fmt::Write;

use axum::http::StatusCode;
use axum::response::Response;

use super::{escape, page};
use crate::platform::Platform;

/// Renders the page. The form sends the `hidden` parameters with the user's decision.
pub fn consent<'a>(platform: Platform, client: &str, scopes: &[&str], hidden: impl Iterator<Item = (&'static str, &'a str)>) -> Response {
    let (title, client) = (platform.title(), escape(client));
    let mut body = format!("<h1>Let “{client}” use an account on simulated {title}?</h1>\n");
    if scopes.is_empty() {
        body.push_str("<p>The client asks only for your identity.</p>\n");
    } else {
        body.push_str("<p>The client asks for:</p>\n<ul>\n");
        for scope in scopes {
            let _ = writeln!(body, "<li><code>{}</code></li>", escape(scope));
        }
        body.push_str("</ul>\n");
    }
    body.push_str("<form method=\"post\">\n");
    for (name, value) in hidden {
        let _ = writeln!(body, r#"<input type="hidden" name="{name}" value="{}">"#, escape(value));
    }
    body.push_str(FIELDS);
    page(StatusCode::OK, &format!("Sign in with {title}"), &body)
}

const FIELDS: &str = r#"<label for="account">Account <span class="hint">Any name works. There is no password, because there is nothing to protect.</span></label>
<input id="account" name="account" value="ada" required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false">
<label for="email">E-mail address <span class="hint">Leave empty to use the account's name at example.com.</span></label>
<input id="email" name="email" type="email" maxlength="254" autocomplete="off">
<p class="buttons">
<button class="main" name="decision" value="approve">Approve</button>
<button name="decision" value="deny" formnovalidate>Deny</button>
</p>
</form>
"#;
