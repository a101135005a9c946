//! The pages: what people see in a browser, made here from what the features answer, enhanced by the bundle of `web/`.
//!
//! - A page is one file here with its handler and the struct of its template, one file in `templates/`, and one line in
//!   [`PageRoute`]. Everything around it, from the head to who is signed in, is its `Frame`.
//! - Pages read without JavaScript. They change nothing themselves: forms and buttons say which operation of the interface they
//!   stand for (`data-method`, `data-endpoint`, `data-path`), and the bundle calls it.
//! - What goes wrong on the way to a page is a page as well; see `problem.rs`.
//!
//! Pages are above the features and use what those say in public. No feature knows a page.

mod accounts;
mod assets;
mod entry;
mod environment;
mod faults;
mod frame;
mod home;
mod posts;
mod problem;
mod project;
mod showcase;
mod studio;
mod view;

use axum::Router;
use axum::routing::get;

pub use assets::{ICON, PATH as ASSETS};
pub use problem::explain;

use crate::metrics::labels::PageRoute;
use crate::state::AppState;

/// Every page, that of faults where they are on, and the files that pages load.
pub fn routes(has_faults: bool) -> Router<AppState> {
    let faults = if has_faults { Router::new().route(PageRoute::Faults.name(), get(faults::faults)) } else { Router::new() };
    faults
        .route(PageRoute::Home.name(), get(home::home))
        .route(PageRoute::About.name(), get(home::about))
        .route(PageRoute::Login.name(), get(entry::login))
        .route(PageRoute::Showcase.name(), get(showcase::showcase))
        .route(PageRoute::Published.name(), get(showcase::published))
        .route(PageRoute::Studio.name(), get(studio::studio))
        .route(PageRoute::Project.name(), get(project::project))
        .route(PageRoute::Environment.name(), get(environment::environment))
        .route(PageRoute::Posts.name(), get(posts::posts))
        .route(PageRoute::Accounts.name(), get(accounts::accounts))
        .route(ASSETS, get(assets::serve))
        .route(ICON, get(assets::icon))
}
