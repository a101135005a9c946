//! An author with a published project, and the posts about the project.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Answer, Ask, Browser, TestApp, User, eventually};

/// The public URL of the author's project.
pub const LINK: &str = "http://localhost:8080/projects/one";

/// An author with a published project.
pub struct PostFixture<'a> {
    pub app: &'a TestApp,
    pub author: User,
    pub project: String,
}

impl<'a> PostFixture<'a> {
    /// Creates a new author with a published project and a linked account on each of these platforms.
    pub async fn open(app: &'a TestApp, linked: &[&str]) -> Self {
        let author = app.user("ada").await;
        let project = app.project(&author, "One", "public").await["id"].as_str().unwrap().to_owned();
        let desk = Self { app, author, project };
        let publish = desk.request(Method::POST, &format!("/api/projects/{}/publish", desk.project));
        publish.json(&json!({ "slug": "one" })).answer().await.expect(200);
        for platform in linked {
            desk.link(platform).await;
        }
        desk
    }

    /// Links an account, or links it again.
    pub async fn link(&self, platform: &str) {
        Browser::of(&self.author.token).visit(self.app, platform, "ada").await.expect(303);
    }

    /// Unlinks an account.
    pub async fn unlink(&self, platform: &str) {
        let id = Browser::of(&self.author.token).account(self.app, platform).await["id"].as_str().unwrap().to_owned();
        self.request(Method::DELETE, &format!("/api/accounts/{id}")).answer().await.expect(204);
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.as_user(&self.author, method, path)
    }

    /// The body of a request for a post about the project.
    pub fn body(&self, text: &str, platforms: &[&str]) -> Value {
        json!({ "project_id": self.project, "text": text, "platforms": platforms })
    }

    /// Requests the creation of a post.
    pub async fn write(&self, text: &str, platforms: &[&str]) -> Answer {
        self.request(Method::POST, "/api/posts").json(&self.body(text, platforms)).answer().await
    }

    /// Creates a post and returns its identifier.
    pub async fn post(&self, text: &str, platforms: &[&str]) -> String {
        self.write(text, platforms).await.expect(201).json()["id"].as_str().unwrap().to_owned()
    }

    pub async fn read(&self, id: &str) -> Value {
        self.request(Method::GET, &format!("/api/posts/{id}")).answer().await.expect(200).json()
    }

    /// The delivery of a post to a platform.
    pub async fn delivery(&self, id: &str, platform: &str) -> Value {
        let post = self.read(id).await;
        post["deliveries"].as_array().unwrap().iter().find(|delivery| delivery["platform"] == platform).unwrap().clone()
    }

    /// Waits until a delivery has this status; for `pending`, until an attempt has ended and another one is scheduled. Panics if the
    /// delivery ends with another status.
    pub async fn until(&self, id: &str, platform: &str, status: &str) -> Value {
        eventually(&format!("the delivery to {platform} is {status}"), async || {
            let delivery = self.delivery(id, platform).await;
            let ended = delivery["status"] != "pending" || delivery["attempts"] != 0;
            assert!(delivery["status"] == status || delivery["status"] == "pending", "{delivery}");
            (delivery["status"] == status && ended).then_some(delivery)
        })
        .await
    }

    /// Waits until a delivery has this status, and shortens the pauses between attempts with [`Self::hurry`].
    pub async fn until_hurried(&self, id: &str, platform: &str, status: &str) -> Value {
        eventually(&format!("the delivery to {platform} is {status}"), async || {
            self.hurry().await;
            let delivery = self.delivery(id, platform).await;
            (delivery["status"] == status).then_some(delivery)
        })
        .await
    }

    /// Schedules the next attempt of every waiting delivery for now.
    pub async fn hurry(&self) {
        self.app.stores.execute("UPDATE jobs SET run_at = now() WHERE kind = 'post_delivery' AND lease_id IS NULL").await;
    }

    pub async fn insights(&self, platform: &str) -> Answer {
        self.request(Method::GET, &format!("/api/insights/{platform}")).answer().await
    }
}
