//! How many series one replica may come to. What a scrape of any target may come to is said in `cardinality`.

use std::fs;

use clap::Parser;
use tokio::sync::OnceCell;
use vitrine::app::App;
use vitrine::config::Cli;
use vitrine::metrics::labels::Platform;

use crate::files::root;

/// Series that one replica may come to, hostile clients included.
const SERIES_BUDGET: usize = 7_500;

/// What `/metrics` of a replica says at its start, with every platform that there is.
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

/// The series of a replica. All that clients can produce are there from the start: `tests/api/metrics.rs` and
/// `cargo xtask cardinality --attack` show that hostile ones make no other.
pub fn count(scrape: &str) -> usize {
    scrape.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count()
}

#[tokio::test]
async fn the_series_of_a_replica_stay_within_their_budget_whatever_clients_do() {
    let series = count(scrape().await);
    println!("{series} series");
    assert!(series < SERIES_BUDGET, "{series} series of {SERIES_BUDGET}");
}
