//! `vitrine seed`: the demo data in the showcase, a second run, a run after an interrupted one, and the refusal in production.

use std::process::Output;

use serde_json::Value;

use crate::support::program::{output_text, run};
use crate::support::{Ask, Stores, TestApp, eventually, when};

/// Runs `vitrine seed` on the stores, with more arguments.
fn seed(stores: &Stores, arguments: &[&str]) -> Output {
    let (database, redis) = (stores.database_url(), stores.redis_url());
    let variables = [("DATABASE_URL", database.as_str()), ("REDIS_URL", redis.as_str()), ("REDIS_KEY_PREFIX", stores.prefix())];
    run(&[&["seed"], arguments].concat(), &variables)
}

/// Runs `vitrine seed`, which must succeed, and returns its log.
#[track_caller]
fn seeded(stores: &Stores, arguments: &[&str]) -> String {
    let output = seed(stores, arguments);
    assert!(output.status.success(), "{}", output_text(&output));
    output_text(&output)
}

/// The attributes of the log line with this message.
fn line(log: &str, message: &str) -> Value {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.into_iter().find(|line| line["body"] == message).unwrap_or_else(|| panic!("no line {message:?}: {log}"));
    line["attributes"].clone()
}

async fn showcase(app: &TestApp) -> Vec<Value> {
    app.get("/api/showcase").answer().await.expect(200).json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_showcase_lists_the_demo_projects_as_soon_as_they_are_added() {
    let app = TestApp::start().await;
    assert_eq!(showcase(&app).await.len(), 0, "the empty page is cached now");
    let added = line(&seeded(&app.stores, &[]), "demo data added");
    assert_eq!([&added["accounts"], &added["projects"]], [6, 12]);
    let projects = showcase(&app).await;
    assert_eq!(projects.len(), 12);
    let page = app.get("/projects").header("accept", "text/html").answer().await.expect(200).text();
    for project in projects {
        let (name, slug) = (project["name"].as_str().unwrap(), project["slug"].as_str().unwrap());
        assert!(page.contains(&format!("<a href=\"/projects/{slug}\">{name}</a>")), "{name} is missing: {page}");
        assert!(page.contains(project["owner"].as_str().unwrap()), "the owner of {name} is missing: {page}");
    }
}

#[tokio::test]
async fn the_environments_of_the_demo_projects_are_created_and_some_run() {
    let app = TestApp::with(&["--sim-latency=1ms", "--sim-failure-rate=0"]).await;
    let added = line(&seeded(&app.stores, &[]), "demo data added");
    let all = app.stores.count("SELECT count(*) FROM environments").await;
    assert_eq!(added["environments"], all);
    eventually("every environment is created, and three run", async || {
        let running = app.stores.count("SELECT count(*) FROM environments WHERE status = 'running'").await;
        let stopped = app.stores.count("SELECT count(*) FROM environments WHERE status = 'stopped'").await;
        when((running, running + stopped) == (3, all))
    })
    .await;
}

#[tokio::test]
async fn a_second_run_changes_nothing_and_says_so() {
    let app = TestApp::with(&["--sim-latency=1ms", "--sim-failure-rate=0"]).await;
    seeded(&app.stores, &[]);
    let unfinished = "SELECT count(*) FROM environments WHERE status NOT IN ('running', 'stopped')";
    eventually("the environments have settled", async || when(app.stores.count(unfinished).await == 0)).await;
    let before = app.stores.contents().await;
    line(&seeded(&app.stores, &[]), "demo data is complete, nothing changed");
    assert_eq!(app.stores.contents().await, before);
}

#[tokio::test]
async fn a_run_completes_an_interrupted_one() {
    let app = TestApp::start().await;
    seeded(&app.stores, &[]);
    app.stores.execute("DELETE FROM projects WHERE slug = 'loom'").await;
    app.stores.execute("UPDATE projects SET published_at = NULL WHERE slug = 'night-bus'").await;
    app.stores.execute("DELETE FROM project_members WHERE role = 'viewer'").await;
    let added = line(&seeded(&app.stores, &[]), "demo data added");
    assert_eq!([&added["accounts"], &added["projects"], &added["environments"]], [0, 1, 1]);
    assert_eq!(added["members"], app.stores.count("SELECT count(*) FROM project_members WHERE role = 'viewer'").await);
    assert_eq!(showcase(&app).await.len(), 12);
}

#[tokio::test]
async fn production_refuses_demo_data() {
    let app = TestApp::start().await;
    let before = app.stores.contents().await;
    let output = seed(&app.stores, &["--environment=production"]);
    assert!(!output.status.success());
    assert!(output_text(&output).contains("demo data is refused in production"), "{}", output_text(&output));
    for off in [&["--environment=production", "--unless-production"][..], &["--demo-data=off"]] {
        line(&seeded(&app.stores, off), "no demo data in this environment, nothing changed");
    }
    assert_eq!(app.stores.contents().await, before);
}

#[tokio::test]
async fn a_container_engine_gets_no_demo_environments() {
    let app = TestApp::start().await;
    let added = line(&seeded(&app.stores, &["--environment-driver=docker"]), "demo data added");
    assert_eq!([&added["projects"], &added["environments"]], [12, 0]);
}
