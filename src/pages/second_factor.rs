//! The page of the account's second factor. It shows the secret and the recovery codes until the factor is activated.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::frame::{Frame, StudioFrame, render};
use crate::features::accounts::{Overview, Pending};
use crate::http::ApiError;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "second_factor.html")]
struct SecondFactorPage {
    frame: Frame,
    /// Whether a second factor can be set up.
    is_offered: bool,
    state: Overview,
    pending: Option<Pending>,
}

/// Handles `GET /studio/accounts/second-factor`.
pub async fn second_factor(State(state): State<AppState>, StudioFrame { frame, user, .. }: StudioFrame) -> Result<Response, ApiError> {
    let is_offered = state.accounts.has_second_factors();
    let pending = if is_offered { state.accounts.pending_second_factor(&user).await? } else { None };
    render(&SecondFactorPage { frame, is_offered, state: state.accounts.second_factor(user.id).await?, pending })
}
