//! The pages: each page warns that it is simulated, and escapes text from requests.

use provider_sim::{Config, Platform};

use crate::support::{AuthorizationRequest, Stage};

const HOSTILE: &str = r#""><script>alert('x')</script>&amp;"#;
const HARMLESS: &str = "&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;";
const WARNING: &str = "Simulator: nothing here is real.";

#[tokio::test]
async fn every_page_loads_nothing_and_warns_that_it_is_simulated() {
    let stage = Stage::start().await;
    let mut paths: Vec<_> = Platform::ALL.into_iter().map(|platform| (AuthorizationRequest::of(platform).page(), 200)).collect();
    paths.extend([(String::new(), 200), ("x/oauth/authorize".to_owned(), 400)]);
    for (path, status) in paths {
        let page = stage.get(&path).await;
        assert_eq!((page.status, page.header("content-type")), (status, "text/html; charset=utf-8"), "{path}");
        assert!(page.text.contains(WARNING), "{path}");
        assert!(page.text.starts_with("<!doctype html>\n<html lang=\"en\">"), "{path}");
        assert!(page.header("content-security-policy").contains("default-src 'none'"), "{path}");
        for loading in ["src=", "<link", "url(", "@import", "<script"] {
            assert!(!page.text.contains(loading), "{path}: {loading}");
        }
    }
}

#[tokio::test]
async fn text_of_a_request_stays_text_on_the_consent_page() {
    let stage = Stage::start().await;
    let page = stage.get(&AuthorizationRequest::of(Platform::Google).set("state", HOSTILE).set("nonce", HOSTILE).page()).await;
    assert_eq!(page.status, 200);
    assert!(!page.text.contains("<script"), "{}", page.text);
    for name in ["state", "nonce"] {
        assert!(page.text.contains(&format!(r#"name="{name}" value="{HARMLESS}""#)), "{name}: {}", page.text);
    }
}

#[tokio::test]
async fn text_of_a_request_stays_text_on_the_error_page() {
    let stage = Stage::start().await;
    for name in ["client_id", "redirect_uri"] {
        let page = stage.get(&AuthorizationRequest::of(Platform::Google).set(name, HOSTILE).page()).await;
        assert_eq!(page.status, 400);
        assert!(!page.text.contains("<script"), "{name}: {}", page.text);
        assert!(page.text.contains(HARMLESS), "{name}: {}", page.text);
    }
}

#[tokio::test]
async fn the_name_of_the_client_stays_text() {
    let stage = Stage::with(Config { client_id: HOSTILE.to_owned(), ..Config::default() }).await;
    let page = stage.get(&AuthorizationRequest::of(Platform::Google).set("client_id", HOSTILE).page()).await;
    assert_eq!(page.status, 200);
    assert!(!page.text.contains("<script") && page.text.contains(HARMLESS), "{}", page.text);
}

#[tokio::test]
async fn an_account_name_may_contain_special_characters() {
    let stage = Stage::start().await;
    let request = AuthorizationRequest::of(Platform::Mastodon).set("account", HOSTILE).set("email", "ada@example.com");
    let tokens = stage.sign_in(&request).await;
    let profile = stage.read("mastodon/api/v1/accounts/verify_credentials", &tokens.access).await.json();
    assert_eq!(profile["username"], HOSTILE);
    let name = "%22%3E%3Cscript%3Ealert%28%27x%27%29%3C%2Fscript%3E%26amp%3B";
    assert_eq!(profile["url"], format!("{}/@{name}", stage.issuer(Platform::Mastodon)));
}

#[tokio::test]
async fn the_consent_page_contains_the_parameters_that_the_form_must_send() {
    let stage = Stage::start().await;
    let request = AuthorizationRequest::of(Platform::Gitlab);
    let page = stage.get(&request.page()).await.text;
    // The fields that a browser would send: every hidden field, the default account, an empty e-mail address and the pressed button.
    let mut fields: Vec<(&str, &str)> = page
        .lines()
        .filter_map(|line| line.strip_prefix(r#"<input type="hidden" name=""#)?.strip_suffix(r#"">"#)?.split_once(r#"" value=""#))
        .collect();
    assert_eq!(fields.len(), 8);
    fields.extend([("account", "ada"), ("email", ""), ("decision", "approve")]);
    let code = stage.form(&request.path(), &fields).await.redirected()["code"].clone();
    let (_, claims) = stage.redeem(Platform::Gitlab, &code).await.tokens().id_token();
    assert_eq!((claims["nonce"].as_str(), claims["email"].as_str()), (Some("the-nonce"), Some("ada@example.com")));
}
