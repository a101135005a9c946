//! The operator's page: the tools that run beside the service, with links and states. In development everybody sees it; in production only
//! admins do, and for everybody else the page does not exist.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use url::{Host, Url};

use super::frame::{Frame, render};
use crate::config::{Environment, Tool};
use crate::http::{ApiError, Code};
use crate::state::AppState;
use crate::tools::{DASHBOARDS, Listed, State as ToolState};

#[derive(Template)]
#[template(path = "operator.html")]
struct OperatorPage {
    frame: Frame,
    tools: Vec<ToolView>,
    dashboards: Vec<Dashboard>,
    /// Whether a link leads to the machine of the browser.
    has_local_link: bool,
    has_demo_traffic: bool,
}

struct ToolView {
    name: &'static str,
    says: &'static str,
    link: String,
    state: String,
    /// The name of an environment's status whose colour the state has.
    style: &'static str,
}

struct Dashboard {
    title: &'static str,
    link: String,
}

impl From<&Listed> for ToolView {
    fn from(Listed { tool, link, state }: &Listed) -> Self {
        let (name, says) = match tool {
            Tool::Grafana => ("Grafana", "the start page of the dashboards"),
            Tool::Prometheus => ("Prometheus", "metrics, targets, rules and alerts"),
            Tool::Alertmanager => ("Alertmanager", "active alerts, and silences"),
            Tool::Mail => ("Mail sink", "the inbox for mail about alerts and accounts"),
            Tool::ProviderSim => ("Simulated platforms", "the platforms for sign-in and for posts"),
            Tool::Runbooks => ("Runbooks", "what to do about each alert"),
        };
        let (state, style) = match state {
            ToolState::Reachable => ("reachable".to_owned(), "running"),
            ToolState::Answers(status) => (format!("responds with {}", status.as_u16()), "error"),
            ToolState::Unreachable => ("not reachable".to_owned(), "error"),
        };
        Self { name, says, link: link.to_string(), state, style }
    }
}

/// Whether a browser opens the address on its own machine.
fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Handles `GET /operator`.
pub async fn operator(State(state): State<AppState>, frame: Frame) -> Result<Response, ApiError> {
    if !frame.has_operator {
        return Err(ApiError::new(Code::NotFound));
    }
    let listed = state.tools.list().await;
    let grafana = listed.iter().find(|listed| listed.tool == Tool::Grafana).map(|listed| listed.link.as_str().trim_end_matches('/'));
    let dashboards =
        grafana.map(|grafana| DASHBOARDS.iter().map(|&(uid, title)| Dashboard { title, link: format!("{grafana}/d/{uid}") }).collect());
    render(&OperatorPage {
        frame,
        dashboards: dashboards.unwrap_or_default(),
        has_local_link: listed.iter().any(|listed| is_local(&listed.link)),
        has_demo_traffic: state.config.demo_traffic && state.config.environment == Environment::Development,
        tools: listed.iter().map(Into::into).collect(),
    })
}
