//! A real OIDC provider in a process of its own, and a user who logs in there. `oidc_provider.mjs` configures the provider. The
//! crate `provider-sim` simulates platforms that fail or send false data.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use url::Url;

use super::{Answer, Ask};

/// The variable that names the folder `node_modules` with the npm package `oidc-provider`.
const VARIABLE: &str = "OIDC_PROVIDER";
/// Maximum number of redirects and forms from an authorization request to its end: more than login and consent need.
const STEPS: usize = 10;

/// A running provider with one OAuth client. The provider's process ends when this value is dropped.
pub struct OidcProvider {
    process: Child,
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
    redirect_uri: String,
}

impl OidcProvider {
    /// Starts a provider whose client has this redirect URI. If [`VARIABLE`] is not set, prints a line and returns `None`.
    pub async fn start(redirect_uri: &str) -> Option<Self> {
        let Some(library) = std::env::var_os(VARIABLE) else {
            eprintln!("SKIPPED: {VARIABLE} is not set: logins are NOT tested with a real provider");
            return None;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/support/oidc_provider.mjs");
        let (client_id, client_secret) = ("vitrine".to_owned(), "a secret of this client alone".to_owned());
        let mut process = Command::new("node")
            .arg(script)
            .args([&client_id, &client_secret, redirect_uri])
            .env(VARIABLE, library)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let first_line = tokio::task::spawn_blocking(|| output.lines().next()).await.unwrap();
        let issuer = first_line.expect("the provider did not print its URL").unwrap();
        Some(Self { process, issuer, client_id, client_secret, redirect_uri: redirect_uri.to_owned() })
    }

    /// The provider's table for the file of platforms, without the table's header.
    pub fn settings(&self) -> String {
        let Self { issuer, client_id, client_secret, .. } = self;
        format!(
            "kind = \"oidc\"\nissuer = \"{issuer}\"\nclient_id = \"{client_id}\"\nclient_secret = \"{client_secret}\"\n\
             scopes = [\"openid\", \"email\", \"profile\"]\nsign_in = true\n"
        )
    }

    /// Follows an authorization URL, logs in as `ada` and consents. Returns the URL to which the provider redirects the browser: the
    /// redirect URI with a code or an error.
    pub async fn login(&self, authorization_url: &str) -> Url {
        let mut browser = Browser::new();
        let mut page = browser.get(authorization_url.parse().unwrap()).await;
        for _ in 0..STEPS {
            page = match page.leads_to() {
                Some(back) if back.as_str().starts_with(&self.redirect_uri) => return back,
                Some(next) => browser.get(next).await,
                None => browser.submit(&page).await,
            };
        }
        panic!("the provider did not redirect back: {}", page.answer.text());
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A minimal browser: it keeps cookies and submits forms.
struct Browser {
    client: Client,
    cookies: Vec<Cookie>,
}

struct Cookie {
    name: String,
    value: String,
    path: String,
}

struct Page {
    url: Url,
    answer: Answer,
}

impl Page {
    fn leads_to(&self) -> Option<Url> {
        let location = self.answer.header(LOCATION.as_str());
        (!location.is_empty()).then(|| self.url.join(location).unwrap())
    }

    /// The text of the page between two markers.
    fn between(&self, before: &str, after: &str) -> String {
        let text = self.answer.text();
        let found = text.split_once(before).and_then(|(_, rest)| rest.split_once(after));
        found.unwrap_or_else(|| panic!("no {before} at {}: {text}", self.url)).0.to_owned()
    }
}

impl Browser {
    fn new() -> Self {
        Self { client: Client::builder().no_proxy().redirect(Policy::none()).build().unwrap(), cookies: Vec::new() }
    }

    async fn get(&mut self, url: Url) -> Page {
        self.send(self.client.get(url.clone()), url).await
    }

    /// Submits the form of a page; a hidden field distinguishes login from consent.
    async fn submit(&mut self, page: &Page) -> Page {
        let url = page.url.join(&page.between("<form autocomplete=\"off\" action=\"", "\"")).unwrap();
        let prompt = page.between("name=\"prompt\" value=\"", "\"");
        let form = format!("prompt={prompt}&login=ada&password=anything");
        self.send(self.client.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form), url).await
    }

    async fn send(&mut self, request: RequestBuilder, url: Url) -> Page {
        let fitting = self.cookies.iter().filter(|cookie| url.path().starts_with(&cookie.path));
        let cookies: Vec<String> = fitting.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        let answer = request.header(COOKIE, cookies.join("; ")).answer().await;
        for set in answer.headers.get_all(SET_COOKIE) {
            self.keep(set.to_str().unwrap());
        }
        Page { url, answer }
    }

    /// Stores a cookie, or deletes it when its new value is empty.
    fn keep(&mut self, set: &str) {
        let (name, rest) = set.split_once('=').unwrap();
        let mut parts = rest.split("; ");
        let value = parts.next().unwrap_or_default();
        let path = parts.find_map(|part| part.strip_prefix("path=")).unwrap_or("/");
        self.cookies.retain(|cookie| (cookie.name.as_str(), cookie.path.as_str()) != (name, path));
        if !value.is_empty() {
            self.cookies.push(Cookie { name: name.to_owned(), value: value.to_owned(), path: path.to_owned() });
        }
    }
}
