//! Extensions: a client requests a change, and a job carries it out: immediately in a running environment, otherwise at the
//! environment's next start.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Ask, Studio, TestApp, eventually};

async fn ask(studio: &Studio<'_>, method: Method, id: &str, extension: &str) -> Answer {
    studio.request(method, &format!("/api/environments/{id}/extensions/{extension}")).answer().await
}

async fn listed(studio: &Studio<'_>, id: &str) -> Vec<(String, String, Value)> {
    let list = studio.request(Method::GET, &format!("/api/environments/{id}/extensions")).answer().await.expect(200).json();
    let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(|item| (text(item, "extension"), text(item, "status"), item["reason"].clone())).collect()
}

async fn until(studio: &Studio<'_>, id: &str, extension: &str, status: &str) -> Value {
    eventually(&format!("{extension} is {status}"), async || {
        let all = listed(studio, id).await;
        all.into_iter().find(|(name, now, _)| name == extension && now == status).map(|(.., reason)| reason)
    })
    .await
}

#[tokio::test]
async fn an_extension_is_installed_in_a_running_environment_and_removed() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    let before = app.settled().await;
    let wanted = ask(&studio, Method::PUT, &id, "shell-prompt").await.expect(202).json();
    assert_eq!((&wanted["extension"], &wanted["status"], &wanted["reason"]), (&json!("shell-prompt"), &json!("pending"), &Value::Null));
    until(&studio, &id, "shell-prompt", "installed").await;
    ask(&studio, Method::PUT, &id, "shell-prompt").await.expect(200);
    let after = app.settled().await;
    let labels = [("extension", "shell-prompt"), ("status", "success")];
    assert_eq!(after.since(&before, "extension_installations_total", &labels), 1.0);

    assert_eq!(ask(&studio, Method::DELETE, &id, "shell-prompt").await.expect(202).json()["status"], "removing");
    eventually("the extension is removed", async || listed(&studio, &id).await.is_empty().then_some(())).await;
    ask(&studio, Method::DELETE, &id, "shell-prompt").await.problem(404, "not_found");
    let lines = studio.system_lines(&id).await;
    assert_eq!(lines[lines.len() - 2..], ["extension shell-prompt installed", "extension shell-prompt removed"]);
}

#[tokio::test]
async fn a_failed_installation_has_a_reason_and_can_be_retried() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    let before = app.settled().await;
    for _ in 0..2 {
        ask(&studio, Method::PUT, &id, "node-tools").await.expect(202);
        assert_eq!(until(&studio, &id, "node-tools", "failed").await, "node is not in this image");
    }
    let labels = [("extension", "node-tools"), ("status", "failure")];
    assert_eq!(app.settled().await.since(&before, "extension_installations_total", &labels), 2.0);
    assert_eq!(studio.read(&id).await.json()["status"], "running");
}

#[tokio::test]
async fn extensions_of_a_stopped_environment_are_changed_at_its_next_start() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.environment("web").await;
    for extension in ["heartbeat", "git-aliases"] {
        assert_eq!(ask(&studio, Method::PUT, &id, extension).await.expect(202).json()["status"], "pending");
    }
    assert_eq!(ask(&studio, Method::DELETE, &id, "git-aliases").await.expect(202).json()["status"], "removing");
    studio.operate(&id, "start").await.expect(202);
    until(&studio, &id, "heartbeat", "installed").await;
    eventually("only the extension heartbeat is left", async || (listed(&studio, &id).await.len() == 1).then_some(())).await;
}

#[tokio::test]
async fn extensions_of_a_stopped_environment_are_changed_when_its_container_is_found_running() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.environment("web").await;
    ask(&studio, Method::PUT, &id, "heartbeat").await.expect(202);
    app.stores.execute("UPDATE sim_containers SET state = 'running', started_at = now()").await;
    studio.until(&id, "running").await;
    until(&studio, &id, "heartbeat", "installed").await;
}

#[tokio::test]
async fn an_extension_in_the_container_is_removed_even_if_its_removal_was_withdrawn_and_requested_again() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    ask(&studio, Method::PUT, &id, "git-aliases").await.expect(202);
    until(&studio, &id, "git-aliases", "installed").await;
    studio.operate(&id, "stop").await.expect(202);
    studio.until(&id, "stopped").await;
    for (method, status) in [(Method::DELETE, "removing"), (Method::PUT, "pending"), (Method::DELETE, "removing")] {
        assert_eq!(ask(&studio, method, &id, "git-aliases").await.expect(202).json()["status"], status);
    }
    studio.operate(&id, "start").await.expect(202);
    eventually("the extension is removed", async || listed(&studio, &id).await.is_empty().then_some(())).await;
    assert_eq!(studio.system_lines(&id).await.last().unwrap(), "extension git-aliases removed");
}

#[tokio::test]
async fn a_new_container_gets_the_installed_extensions() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    ask(&studio, Method::PUT, &id, "heartbeat").await.expect(202);
    until(&studio, &id, "heartbeat", "installed").await;
    let before = app.settled().await;
    app.stores.execute("DELETE FROM sim_containers").await;
    studio.until(&id, "error").await;
    studio.operate(&id, "start").await.expect(202);
    studio.until(&id, "running").await;
    until(&studio, &id, "heartbeat", "installed").await;
    eventually("the extension is installed again", async || {
        let scrape = app.settled().await;
        (scrape.since(&before, "extension_installations_total", &[("extension", "heartbeat")]) == 1.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn only_listed_extensions_can_be_installed() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.environment("web").await;
    let rows = app.stores.contents().await;
    for extension in ["nothing", "shell-prompt;rm", "Shell-Prompt", "%2e%2e"] {
        ask(&studio, Method::PUT, &id, extension).await.problem(404, "not_found");
    }
    assert_eq!(app.stores.contents().await, rows);
    let list = studio.request(Method::GET, "/api/extensions").answer().await.expect(200).json();
    let names: Vec<&str> = list["items"].as_array().unwrap().iter().map(|item| item["extension"].as_str().unwrap()).collect();
    assert_eq!(names, ["shell-prompt", "git-aliases", "editor-defaults", "heartbeat", "node-tools", "cargo-tools"]);
    for item in list["items"].as_array().unwrap() {
        assert!(!item["title"].as_str().unwrap().is_empty() && !item["description"].as_str().unwrap().is_empty(), "{item}");
    }
}
