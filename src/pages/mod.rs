//! Server-rendered pages, built from the features' services and enhanced by the bundle in `web/`.
//!
//! - A page is a handler and a template struct here, a file in `templates/`, a line in [`PageRoute`] and a line in [`routes`]. `Frame`
//!   holds everything around the content of a page, from the head to the signed-in user.
//! - Pages are readable without JavaScript. They change nothing themselves: forms and buttons name an API operation
//!   (`data-method`, `data-endpoint`, `data-path`), and the bundle calls it.
//! - An error in a request for a page is shown as a page, too; see `problem.rs`.
//!
//! Pages depend on the features' public interfaces. No feature depends on a page.

mod account_events;
mod accounts;
mod assets;
mod entry;
mod environment;
mod faults;
mod frame;
mod home;
mod links;
mod operator;
mod posts;
mod problem;
mod project;
mod second_factor;
mod showcase;
mod studio;
mod view;

use axum::Router;
use axum::routing::get;

use assets::{ICON, PATH as ASSETS};
pub use problem::explain;

use crate::interface::page;
use crate::metrics::http::Operation;
use crate::metrics::labels::PageRoute;
use crate::state::AppState;

/// Routes of all pages and assets; the faults page only with `has_faults`.
pub fn routes(has_faults: bool) -> Router<AppState> {
    let faults = if has_faults { Router::new().route(PageRoute::Faults.name(), get(faults::faults)) } else { Router::new() };
    faults
        .route(PageRoute::Home.name(), get(home::home))
        .route(PageRoute::About.name(), get(home::about))
        .route(PageRoute::Login.name(), get(entry::login))
        .route(PageRoute::Operator.name(), get(operator::operator))
        .route(PageRoute::Confirm.name(), get(links::confirm))
        .route(PageRoute::PasswordReset.name(), get(links::password_reset))
        .route(PageRoute::Showcase.name(), get(showcase::showcase))
        .route(PageRoute::Published.name(), get(showcase::published))
        .route(PageRoute::Studio.name(), get(studio::studio))
        .route(PageRoute::Project.name(), get(project::project))
        .route(PageRoute::Environment.name(), get(environment::environment))
        .route(PageRoute::Posts.name(), get(posts::posts))
        .route(PageRoute::Accounts.name(), get(accounts::accounts))
        .route(PageRoute::SecondFactor.name(), get(second_factor::second_factor))
        .route(PageRoute::AccountEvents.name(), get(account_events::account_events))
        .route(ASSETS, get(assets::serve))
        .route(ICON, get(assets::icon))
}

/// The operations of [`routes`], for the HTTP metrics.
#[must_use]
pub fn operations(has_faults: bool) -> Vec<Operation> {
    let pages = PageRoute::MEMBERS.iter().filter(|route| has_faults || **route != PageRoute::Faults);
    let pages = pages.map(|route| page(route.name(), route.name(), &[200, 303, 400, 404, 503]));
    pages.chain([ASSETS, ICON].map(|path| page(path, ASSETS, &[200, 404]))).collect()
}
