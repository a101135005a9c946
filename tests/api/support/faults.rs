//! Fault injection through the routes for admins.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Ask, LONG_TIMEOUTS, TestApp, User, eventually, when};

/// The argument that enables fault injection.
pub const FAULTS: &str = "--faults=true";

impl TestApp {
    /// Starts an application on new stores with fault injection and extra arguments, and waits until the application is ready. The time
    /// limit for acquiring a database connection is long: a busy machine must not cause time-outs.
    pub async fn with_faults(arguments: &[&str]) -> Self {
        Self::with(&[&[FAULTS, LONG_TIMEOUTS[0]], arguments].concat()).await
    }

    /// Creates an admin, who may inject faults.
    pub async fn admin(&self) -> User {
        let admin = self.user("admin").await;
        self.stores.execute("UPDATE users SET role = 'admin' WHERE email = 'admin@example.com'").await;
        admin
    }

    /// Requests a fault with this identifier.
    pub async fn order(&self, admin: &User, id: Uuid, order: &Value) -> Answer {
        self.as_user(admin, Method::PUT, &format!("/api/faults/{id}")).json(order).answer().await
    }

    /// Injects a fault, for a minute by default, and returns its identifier.
    pub async fn begin(&self, admin: &User, fault: &Value) -> Uuid {
        let (id, mut order) = (Uuid::new_v4(), json!({ "expires_in": 60 }));
        order.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        self.order(admin, id, &order).await.expect(201);
        id
    }

    /// Ends every fault. A fault that keeps the machine busy may delay this.
    pub async fn end_faults(&self, admin: &User) {
        let end = async || self.as_user(admin, Method::DELETE, "/api/faults").answer().await.status;
        eventually("the faults are ended", async || when(end().await == 204)).await;
    }
}
