//! Assembles the routes and their layers. Knobs (settings for failures, see `knobs`) affect the routes of platforms and
//! receivers, but not the simulator's own routes.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state as layer;

use crate::control::{self, Simulated};
use crate::notifications::{self, Sink};
use crate::provider::Provider;
use crate::{faults, oauth, observe, platforms};

/// The router of all platforms and receivers, and of the simulator itself.
pub fn build(providers: Vec<Arc<Provider>>) -> Router {
    let mut router = Router::new();
    for provider in &providers {
        router = router.nest(&format!("/{}", provider.platform.name()), platform(provider));
    }
    let sink = Arc::new(Sink::default());
    router.merge(notifications::routes(&sink)).merge(control::routes(Simulated { providers: providers.into(), sink }))
}

fn platform(provider: &Arc<Provider>) -> Router {
    oauth::calls(provider.platform)
        .merge(platforms::routes(provider.platform))
        .layer(layer(provider.clone(), faults::trouble))
        .merge(oauth::pages())
        .layer(layer(provider.clone(), faults::outage))
        .layer(layer(provider.clone(), observe::observe))
        .merge(control::posts())
        .with_state(provider.clone())
}
