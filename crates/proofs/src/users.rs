//! Creates accounts and projects on a running stack.

use anyhow::{Result, ensure};
use devstack::http::send;
use devstack::paths;
use serde_json::{Value, json};

/// Registers an account, logs in, and returns the token.
pub fn sign_up(edge: &str, email: &str) -> Result<String> {
    let password = paths::random_password()?;
    let post = |path: &str, body: Value| send("POST", &format!("{edge}/api/auth/{path}"), &[], Some(&body));
    let registered = post("register", json!({ "email": email, "password": password, "display_name": "Somebody" }))?;
    ensure!(registered.status == 201, "register: {}", registered.body);
    let login = post("login", json!({ "email": email, "password": password }))?.json()?;
    Ok(login["token"].as_str().unwrap_or_default().to_owned())
}

/// Creates a project and returns its identifier.
pub fn create_project(edge: &str, token: &str, name: &str) -> Result<String> {
    let bearer = format!("Bearer {token}");
    let created = send("POST", &format!("{edge}/api/projects"), &[("authorization", &bearer)], Some(&json!({ "name": name })))?;
    ensure!(created.status == 201, "project: {}", created.body);
    Ok(created.json()?["id"].as_str().unwrap_or_default().to_owned())
}
