//! Fixtures of the tests, such as an application, its users, a scrape, a raw client and a proxy that fails on demand.

pub mod answer;
pub mod app;
pub mod attack;
pub mod attributes;
pub mod certificates;
pub mod collector;
pub mod driver_fixture;
pub mod edge;
pub mod engine;
pub mod environments;
pub mod fake_platform;
pub mod faults;
pub mod jobs;
pub mod log_fixture;
pub mod mail_server;
pub mod observed;
pub mod oidc_provider;
pub mod platforms;
pub mod post_fixture;
pub mod program;
pub mod proxy;
pub mod raw;
pub mod raw_socket;
pub mod realtime;
pub mod routes;
pub mod scrape;
pub mod servers;
pub mod socket_client;
pub mod stores;
pub mod terminal;
pub mod users;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

pub use answer::{Answer, Ask};
pub use app::TestApp;
pub use edge::Edge;
pub use environments::Studio;
pub use fake_platform::FakePlatform;
pub use faults::FAULTS;
pub use mail_server::MailServer;
pub use platforms::{Browser, Platforms};
pub use post_fixture::PostFixture;
pub use proxy::{Mode, Proxy};
pub use raw::Raw;
pub use raw_socket::RawSocket;
pub use scrape::Scrape;
pub use socket_client::{Socket, Sockets};
pub use stores::Stores;
pub use users::User;

/// Long, because the machine may be busy with other tests. Only tests that fail wait this long.
const DEADLINE: Duration = Duration::from_mins(1);
/// The promised limit for the recovery after a store has returned. Tests use it, too, as the limit for the detection of a failure.
pub const RECOVERY: Duration = Duration::from_secs(5);
/// Arguments for tests in which many requests wait for one row: on a busy machine, they wait longer than the default limits.
pub const LONG_TIMEOUTS: [&str; 2] = ["--database-acquire-timeout=9s", "--database-statement-timeout=9s"];
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `probe` returns a value.
pub async fn eventually<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
    within(DEADLINE, what, probe).await
}

/// Waits until `probe` returns a value, within a limit.
pub async fn within<T>(limit: Duration, what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "timed out: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Turns a condition into the result of a probe.
pub fn when(condition: bool) -> Option<()> {
    condition.then_some(())
}

/// A random loopback address. Other programs hardly ever use the same address, so its ports stay free.
pub fn own_loopback() -> Ipv4Addr {
    let [a, b, c] = rand::random::<[u8; 3]>();
    Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254))
}
