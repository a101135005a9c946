//! Users with an account, a session and projects.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Answer, Ask, TestApp};

/// Long enough, and not in the service's list of common passwords.
pub const PASSWORD: &str = "correct horse battery staple";

/// A user with an account and a session.
#[derive(Clone, Debug)]
pub struct User {
    pub id: String,
    pub email: String,
    pub token: String,
}

impl TestApp {
    /// Registers an account and logs in.
    pub async fn user(&self, name: &str) -> User {
        let email = format!("{name}@example.com");
        let registered = self.register(&email).await.expect(201).json();
        let token = self.token(&email).await;
        User { id: registered["id"].as_str().unwrap().to_owned(), email, token }
    }

    pub async fn register(&self, email: &str) -> Answer {
        let body = json!({ "email": email, "password": PASSWORD, "display_name": "Somebody" });
        self.post("/api/auth/register").json(&body).answer().await
    }

    pub async fn login(&self, email: &str, password: &str) -> Answer {
        self.post("/api/auth/login").json(&json!({ "email": email, "password": password })).answer().await
    }

    /// The token of a new session.
    pub async fn token(&self, email: &str) -> String {
        self.login(email, PASSWORD).await.expect(200).json()["token"].as_str().unwrap().to_owned()
    }

    /// Asks this replica for the account to which the token's session belongs.
    pub async fn me(&self, token: &str) -> Answer {
        self.get("/api/auth/me").bearer_auth(token).answer().await
    }

    pub fn as_user(&self, user: &User, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&user.token)
    }

    /// Creates a project.
    pub async fn project(&self, owner: &User, name: &str, visibility: &str) -> Value {
        let body = json!({ "name": name, "visibility": visibility });
        self.post("/api/projects").bearer_auth(&owner.token).json(&body).answer().await.expect(201).json()
    }

    pub async fn add_member(&self, owner: &User, project: &str, member: &User, role: &str) -> Answer {
        let body = json!({ "email": member.email, "role": role });
        self.post(&format!("/api/projects/{project}/members")).bearer_auth(&owner.token).json(&body).answer().await
    }
}
