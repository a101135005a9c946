//! The page of the account's second factor. It shows the secret and the recovery codes until the factor is activated.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use qrcode::QrCode;
use qrcode::render::svg::Color;

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
    /// An SVG element.
    qr_code: Option<String>,
}

/// Handles `GET /studio/accounts/second-factor`.
pub async fn second_factor(State(state): State<AppState>, StudioFrame { frame, user, .. }: StudioFrame) -> Result<Response, ApiError> {
    let is_offered = state.accounts.has_second_factors();
    let pending = if is_offered { state.accounts.pending_second_factor(&user).await? } else { None };
    let qr_code = pending.as_ref().and_then(|pending| qr_code(&pending.url));
    render(&SecondFactorPage { frame, is_offered, state: state.accounts.second_factor(user.id).await?, pending, qr_code })
}

/// The QR code as an SVG element without an XML declaration, which HTML does not allow. `None` if the URL is too long for a QR code.
fn qr_code(url: &str) -> Option<String> {
    let image = QrCode::new(url).ok()?.render::<Color<'_>>().min_dimensions(240, 240).build();
    image.find("<svg").map(|start| image[start..].to_owned())
}
