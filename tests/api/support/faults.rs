//! Faults on purpose, as an admin orders them.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Ask, PATIENT, TestApp, User, eventually, when};

/// The argument that turns faults on.
pub const FAULTS: &str = "--faults=true";

impl TestApp {
    /// With stores of its own, faults and more arguments, ready. Short of a fault nothing is too slow for it.
    pub async fn with_faults(arguments: &[&str]) -> Self {
        Self::with(&[&[FAULTS, PATIENT[0]], arguments].concat()).await
    }

    /// Somebody who may order faults.
    pub async fn admin(&self) -> User {
        let admin = self.user("admin").await;
        self.stores.execute("UPDATE users SET role = 'admin' WHERE email = 'admin@example.com'").await;
        admin
    }

    /// Orders a fault under a name.
    pub async fn order(&self, admin: &User, id: Uuid, order: &Value) -> Answer {
        self.as_user(admin, Method::PUT, &format!("/api/faults/{id}")).json(order).answer().await
    }

    /// Begins a fault, for a minute unless it says so, and answers its name.
    pub async fn begin(&self, admin: &User, fault: &Value) -> Uuid {
        let (id, mut order) = (Uuid::new_v4(), json!({ "expires_in": 60 }));
        order.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        self.order(admin, id, &order).await.expect(201);
        id
    }

    /// Ends every fault. One that keeps the machine busy may keep its end waiting.
    pub async fn end_faults(&self, admin: &User) {
        let end = async || self.as_user(admin, Method::DELETE, "/api/faults").answer().await.status;
        eventually("the faults are called off", async || when(end().await == 204)).await;
    }
}
