//! The number of series of one replica. The module `cardinality` checks the scrapes of every scrape job of Prometheus.

use std::fs;

use clap::Parser;
use tokio::sync::OnceCell;
use vitrine::app::App;
use vitrine::config::Cli;
use vitrine::domain::Platform;

use crate::files::root;

/// The number of series of one replica must stay below this, even under attack by hostile clients.
const SERIES_BUDGET: usize = 8_500;

/// The metrics of a replica that has been built but not started, with every platform configured, in the text format of `/metrics`.
pub async fn scrape() -> &'static str {
    static SCRAPE: OnceCell<String> = OnceCell::const_new();
    SCRAPE.get_or_init(first_scrape).await
}

async fn first_scrape() -> String {
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
    app.state().exporter.render()
}

/// The number of series in a scrape of a replica. All series that clients can cause exist from the start: `tests/api/metrics.rs` and
/// `cargo xtask cardinality --attack` prove that hostile clients create no others.
pub fn count(scrape: &str) -> usize {
    scrape.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count()
}

#[tokio::test]
async fn the_series_of_a_replica_stay_within_their_budget() {
    let series = count(scrape().await);
    println!("{series} series");
    assert!(series < SERIES_BUDGET, "{series} series, which must be fewer than {SERIES_BUDGET}");
}
