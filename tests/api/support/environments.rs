//! A user with a project, and operations on its environments.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Answer, Ask, TestApp, User, eventually, when};

/// The project of one user.
pub struct Studio<'a> {
    pub app: &'a TestApp,
    pub user: User,
    pub project: String,
}

impl<'a> Studio<'a> {
    /// Creates a new user with a private project.
    pub async fn open(app: &'a TestApp) -> Self {
        let user = app.user("ada").await;
        let project = app.project(&user, "One", "private").await["id"].as_str().unwrap().to_owned();
        Self { app, user, project }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.as_user(&self.user, method, path)
    }

    /// Requests the creation of an environment.
    pub async fn create(&self, name: &str) -> Answer {
        let body = json!({ "name": name, "image": "busybox:1.37" });
        self.request(Method::POST, &format!("/api/projects/{}/environments", self.project)).json(&body).answer().await
    }

    /// Creates an environment, waits until it is created, and returns its identifier.
    pub async fn environment(&self, name: &str) -> String {
        let id = self.create(name).await.expect(201).json()["id"].as_str().unwrap().to_owned();
        self.until(&id, "stopped").await;
        id
    }

    /// Creates and starts an environment.
    pub async fn running(&self, name: &str) -> String {
        let id = self.environment(name).await;
        self.operate(&id, "start").await.expect(202);
        self.until(&id, "running").await;
        id
    }

    /// Opens a session in a running environment and returns its identifier.
    pub async fn session(&self, environment: &str, kind: &str) -> String {
        let open = self.request(Method::POST, &format!("/api/environments/{environment}/sessions"));
        open.json(&json!({ "type": kind })).answer().await.expect(201).json()["id"].as_str().unwrap().to_owned()
    }

    /// Requests `start`, `stop` or `restart`.
    pub async fn operate(&self, id: &str, operation: &str) -> Answer {
        self.request(Method::POST, &format!("/api/environments/{id}/{operation}")).answer().await
    }

    pub async fn read(&self, id: &str) -> Answer {
        self.request(Method::GET, &format!("/api/environments/{id}")).answer().await
    }

    pub async fn delete(&self, id: &str) -> Answer {
        self.request(Method::DELETE, &format!("/api/environments/{id}")).answer().await
    }

    /// Waits until an environment has this status, and returns the environment.
    pub async fn until(&self, id: &str, status: &str) -> Value {
        eventually(&format!("environment {id} is {status}"), async || {
            let now = self.read(id).await.json();
            (now["status"] == status).then_some(now)
        })
        .await
    }

    /// Waits until an environment is deleted.
    pub async fn until_gone(&self, id: &str) {
        eventually(&format!("environment {id} is deleted"), async || when(self.read(id).await.status == 404)).await;
    }

    /// The lines that Vitrine itself wrote to an environment's log.
    pub async fn system_lines(&self, id: &str) -> Vec<String> {
        let statement = "SELECT line FROM log_entries WHERE environment_id = $1::uuid AND stream = 'system' ORDER BY seq";
        sqlx::query_scalar(statement).bind(id).fetch_all(self.app.stores.pool()).await.unwrap()
    }
}
