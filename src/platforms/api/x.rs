//! X's API, version 2. It tells nobody's e-mail.

use serde::Deserialize;

use super::{ApiFailure, Identity, Session};
use crate::metrics::labels::ApiEndpoint;

#[derive(Deserialize)]
struct Answer {
    data: User,
}

#[derive(Deserialize)]
struct User {
    id: String,
    name: String,
    username: String,
}

/// The account that the token is for.
pub async fn identity(session: &Session<'_>) -> Result<Identity, ApiFailure> {
    let Answer { data: User { id, name, username } } = session.get(ApiEndpoint::Identity, "2/users/me").await?;
    Ok(Identity { subject: id, handle: username, name, email: None })
}
