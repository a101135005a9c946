//! Simulated platforms, and a browser that visits them and returns.

use std::collections::BTreeMap;
use std::path::PathBuf;

use provider_sim::{Config, Simulator};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use vitrine::sealing::Keyring;

use super::{Answer, Ask, TestApp};

/// The default public URL of an application.
const PUBLIC_URL: &str = "http://localhost:8080";
/// The key with which the tested applications seal tokens.
pub const TOKEN_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// All six platforms, and the file that configures them for an application.
pub struct Platforms {
    pub simulator: Simulator,
    file: PathBuf,
    client: Client,
}

impl Platforms {
    pub async fn start() -> Self {
        let simulator = Simulator::start(Config::default()).await.expect("failed to start the simulator");
        let file = std::env::temp_dir().join(format!("vitrine-platforms-{}.toml", Uuid::new_v4()));
        std::fs::write(&file, settings(&simulator)).unwrap();
        Self { simulator, file, client: Client::builder().no_proxy().build().unwrap() }
    }

    /// Starts an application with new stores and these platforms.
    pub async fn app(&self) -> TestApp {
        TestApp::with(&self.arguments().each_ref().map(String::as_str)).await
    }

    /// The arguments that configure these platforms.
    pub fn arguments(&self) -> [String; 2] {
        [format!("--platforms-file={}", self.file.display()), format!("--token-keys={TOKEN_KEY}")]
    }

    /// Changes the file of platforms. Only applications that start later read the change.
    pub fn rewrite(&self, change: impl FnOnce(String) -> String) {
        std::fs::write(&self.file, change(std::fs::read_to_string(&self.file).unwrap())).unwrap();
    }

    /// Removes the section of a platform from the file, and returns the file as it was before.
    pub fn remove(&self, platform: &str) -> String {
        let mut complete = String::new();
        self.rewrite(|text| {
            complete.clone_from(&text);
            let section = format!("{platform}]");
            text.split("\n[").filter(|text| !text.starts_with(&section)).collect::<Vec<_>>().join("\n[")
        });
        complete
    }

    /// Sets the knobs of a platform, replacing earlier ones.
    pub async fn turn(&self, platform: &str, knobs: Value) {
        let url = self.simulator.url(&format!("knobs/{platform}"));
        self.client.put(url).json(&knobs).answer().await.expect(200);
    }

    /// How often an event, such as `refreshes`, has occurred at a platform.
    pub async fn count(&self, platform: &str, what: &str) -> u64 {
        let counts = self.client.get(self.simulator.url("counts")).answer().await.expect(200).json();
        counts[platform][what].as_u64().unwrap_or_else(|| panic!("no {what}: {counts}"))
    }

    /// Revokes a token of a linked account at the platform, without notice to the application. With `access`, only the access token is
    /// revoked; with `refresh`, all tokens of the grant.
    pub async fn revoke(&self, app: &TestApp, platform: &str, token: &str) {
        let select =
            "SELECT id::text, CASE WHEN $2 = 'access' THEN access_token ELSE refresh_token END FROM social_accounts WHERE platform = $1";
        let select = sqlx::query_as(select).bind(platform).bind(token);
        let (id, sealed): (String, Vec<u8>) = select.fetch_one(app.stores.pool()).await.unwrap();
        let keys = Keyring::parse(&TOKEN_KEY.to_owned().into()).unwrap();
        let opened = String::from_utf8(keys.open(&format!("{token} token of {id}"), &sealed).unwrap()).unwrap();
        let form = [("client_id", "vitrine"), ("client_secret", "simulated"), ("token", &opened)];
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.client.post(self.simulator.url(&format!("{platform}/oauth/revoke"))).body(form);
        request.header("content-type", "application/x-www-form-urlencoded").answer().await.expect(200);
    }

    /// The posts on a platform.
    pub async fn posts(&self, platform: &str) -> Vec<Value> {
        let posts = self.client.get(self.simulator.url(&format!("{platform}/posts"))).answer().await.expect(200).json();
        posts.as_array().unwrap().clone()
    }
}

impl Drop for Platforms {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Settings like those of `platforms/simulated.toml`, with the URLs of this simulator.
fn settings(simulator: &Simulator) -> String {
    let at = |path: &str| simulator.url(path);
    let secret = "client_id = \"vitrine\"\nclient_secret = \"simulated\"\n";
    let oidc = |name: &str, more: &str| format!("[{name}]\nkind = \"oidc\"\nissuer = \"{}\"\n{secret}{more}\n", at(name));
    let oauth2 = |name: &str, more: &str| {
        let (authorize, token) = (at(&format!("{name}/oauth/authorize")), at(&format!("{name}/oauth/token")));
        let (revoke, api) = (at(&format!("{name}/oauth/revoke")), at(name));
        format!(
            "[{name}]\nkind = \"oauth2\"\nauthorization_url = \"{authorize}\"\ntoken_url = \"{token}\"\nrevocation_url = \"{revoke}\"\napi_url = \"{api}\"\n{secret}{more}\n"
        )
    };
    let sign_in = "scopes = [\"openid\", \"email\", \"profile\"]\nsign_in = true";
    [
        oidc("google", sign_in),
        oidc("gitlab", sign_in),
        oauth2("github", "scopes = [\"read:user\", \"user:email\"]\nsign_in = true"),
        oauth2("mastodon", "scopes = [\"read:accounts\", \"write:statuses\"]\npost = true"),
        oauth2("x", "scopes = [\"tweet.read\", \"tweet.write\", \"users.read\", \"offline.access\"]\npost = true"),
        oidc(
            "linkedin",
            &format!("api_url = \"{}\"\nscopes = [\"openid\", \"profile\", \"email\", \"w_member_social\", \"r_member_profileAnalytics\"]\npost = true", at("linkedin")),
        ),
    ]
    .concat()
}

/// A client that keeps cookies and does not follow redirects by itself.
pub struct Browser {
    client: Client,
    pub cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn new() -> Self {
        Self { client: Client::builder().redirect(Policy::none()).no_proxy().build().unwrap(), cookies: BTreeMap::new() }
    }

    /// The browser of a signed-in user.
    pub fn of(token: &str) -> Self {
        let mut browser = Self::new();
        browser.cookies.insert("vitrine".to_owned(), token.to_owned());
        browser
    }

    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.client.request(method, url).header("cookie", cookies.join("; "))
    }

    /// Sends a GET with the browser's cookies to the application.
    pub async fn get(&mut self, app: &TestApp, path: &str) -> Answer {
        let answer = self.request(Method::GET, &format!("http://{}{path}", app.address)).answer().await;
        self.keep_cookies(&answer);
        answer
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()) {
            let (name, value) = cookie.split(';').next().unwrap_or_default().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Starts an authorization at the application and returns the URL of the platform to which the application redirects.
    pub async fn start(&mut self, app: &TestApp, platform: &str) -> String {
        self.start_for(app, platform, "/api/auth/me").await
    }

    pub async fn start_for(&mut self, app: &TestApp, platform: &str, return_to: &str) -> String {
        let answer = self.get(app, &format!("/api/oauth/{platform}/start?return_to={return_to}")).await.expect(303);
        answer.header("location").to_owned()
    }

    /// Submits the form of a platform's page. Approves, unless `more` sets `decision`. Returns the path of the application to which the
    /// platform redirects.
    pub async fn decide(&self, location: &str, account: &str, more: &[(&str, &str)]) -> String {
        let url = Url::parse(location).unwrap();
        let (page, asked) = (format!("{}{}", url.origin().ascii_serialization(), url.path()), url.query().unwrap_or_default());
        let mut form = url::form_urlencoded::Serializer::new(asked.to_owned());
        form.append_pair("account", account).extend_pairs(more);
        if !more.iter().any(|(name, _)| *name == "decision") {
            form.append_pair("decision", "approve");
        }
        let request = self.client.post(page).header("content-type", "application/x-www-form-urlencoded").body(form.finish());
        let answer = request.answer().await.expect(303);
        let back = answer.header("location");
        back.strip_prefix(PUBLIC_URL).unwrap_or_else(|| panic!("not a redirect to the application: {back}")).to_owned()
    }

    /// Approves at the platform and returns the path of the redirect back to the application, without following the redirect.
    pub async fn until_back(&mut self, app: &TestApp, platform: &str, account: &str) -> String {
        let location = self.start(app, platform).await;
        self.decide(&location, account, &[]).await
    }

    /// Approves at the platform, follows the redirect back and returns the application's response.
    pub async fn visit(&mut self, app: &TestApp, platform: &str, account: &str) -> Answer {
        let back = self.until_back(app, platform, account).await;
        self.get(app, &back).await
    }

    /// Requests the signed-in account.
    pub async fn me(&mut self, app: &TestApp) -> Answer {
        self.get(app, "/api/auth/me").await
    }

    /// The linked accounts of the signed-in user.
    pub async fn accounts(&mut self, app: &TestApp) -> Vec<Value> {
        self.get(app, "/api/accounts").await.expect(200).json()["items"].as_array().unwrap().clone()
    }

    /// The linked account of a platform; `Null` if there is none.
    pub async fn account(&mut self, app: &TestApp, platform: &str) -> Value {
        let accounts = self.accounts(app).await;
        accounts.into_iter().find(|account| account["platform"] == platform).unwrap_or(json!(null))
    }

    /// The path of a platform's linked account.
    pub async fn account_path(&mut self, app: &TestApp, platform: &str) -> String {
        format!("/api/accounts/{}", self.account(app, platform).await["id"].as_str().unwrap())
    }

    /// Sends a request with this method and the browser's cookies to the application.
    pub async fn send(&mut self, app: &TestApp, method: Method, path: &str) -> Answer {
        let answer = self.request(method, &format!("http://{}{path}", app.address)).answer().await;
        self.keep_cookies(&answer);
        answer
    }
}
