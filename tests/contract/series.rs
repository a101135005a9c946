//! How many series one replica may come to.

use std::fs;

use clap::Parser;
use vitrine::app::App;
use vitrine::config::Cli;
use vitrine::metrics::http::METHODS;
use vitrine::metrics::labels::Platform;

use crate::files::root;

/// Series that one replica may come to, hostile clients included.
const SERIES_BUDGET: usize = 6_500;

#[tokio::test]
async fn the_series_of_a_replica_stay_within_their_budget_whatever_clients_do() {
    // With every platform that there is.
    let bundled = fs::read_to_string(root().join("platforms/simulated.toml")).unwrap();
    let platforms = std::env::temp_dir().join(format!("vitrine-contract-{}.toml", std::process::id()));
    let secret = "client_secret_file = \"/run/vitrine/provider_sim_client_secret\"";
    fs::write(&platforms, bundled.replace(secret, "client_secret = \"simulated\"")).unwrap();
    let arguments = [
        "vitrine",
        "--database-url=postgres://nobody@127.0.0.1:1/none",
        "--redis-url=redis://127.0.0.1:1",
        "--listen-address=127.0.0.1:0",
        "--token-keys=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        &format!("--platforms-file={}", platforms.display()),
    ];
    let app = App::build(Cli::parse_from(arguments).config).unwrap();
    fs::remove_file(platforms).unwrap();
    assert_eq!(app.state().oauth.platforms().all().count(), Platform::MEMBERS.len());
    let text = app.state().exporter.render();
    let series: Vec<_> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let count = |start: &str| series.iter().filter(|line| line.starts_with(start)).count();
    // What a client can add, `tests/api/metrics.rs` shows: for each route, a method that it does not declare (405 and 403,
    // each with its error, and 499), and a HEAD with every status of the GET; for an unknown path, a 403 and a 499 by method.
    let undeclared = 5 * count("http_requests_cancelled_total{");
    let heads = count("http_requests_total{method=\"GET\",");
    let unknown = 2 * METHODS.len();
    let (at_start, worst) = (series.len(), series.len() + undeclared + heads + unknown);
    println!("{at_start} series at start, {worst} at worst");
    assert!(worst < SERIES_BUDGET, "{worst} series of {SERIES_BUDGET}");
}
