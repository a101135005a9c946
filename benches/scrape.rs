//! The cost of a scrape at growing numbers of series: the service's exporter with the series of a new replica, and with additional series
//! of routes that do not exist. Between two scrapes, simulated requests change the series of a few of these routes. `cargo xtask growth`
//! judges the figures.
//!
//! `cargo bench --bench scrape` prints a line of JSON for each measurement: the number of series, and the mean CPU time of a scrape,
//! including the simulated requests before it.

use std::env;
use std::error::Error;
use std::fs;
use std::hint::black_box;

use vitrine::metrics::exporter::Exporter;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Numbers of series, as multiples of the number on a new replica.
const GROWTH: [usize; 3] = [1, 3, 10];
/// Number of routes whose series change between two scrapes.
const CHANGED_ROUTES: usize = 10;
/// Scrapes of one measurement.
const SCRAPES: u32 = 10;

fn main() -> Result<()> {
    let rounds = rounds()?;
    let start = count(&Exporter::default());
    let exporters = GROWTH.map(|growth| grown(start * growth));
    // Round 0 is not printed: in this round, the allocator still gets its memory from the operating system.
    for round in 0..=rounds {
        for exporter in &exporters {
            let before = cpu_nanos()?;
            for _ in 0..SCRAPES {
                (0..CHANGED_ROUTES).for_each(|route| request(exporter, route));
                black_box(exporter.render());
            }
            let micros = f64::from(u32::try_from(cpu_nanos()? - before)?) / 1e3 / f64::from(SCRAPES);
            if round > 0 {
                println!(r#"{{"series":{},"cpu_micros":{micros:.1}}}"#, count(exporter));
            }
        }
    }
    Ok(())
}

/// The argument `--rounds`; each round measures every number of series once. `cargo bench` adds an argument of its own.
fn rounds() -> Result<u32> {
    env::args().skip_while(|argument| argument != "--rounds").nth(1).map_or(Ok(5), |rounds| Ok(rounds.parse()?))
}

/// An exporter with at least this many series.
fn grown(series: usize) -> Exporter {
    let exporter = Exporter::default();
    let mut route = 0;
    while count(&exporter) < series {
        (route..route + CHANGED_ROUTES).for_each(|route| request(&exporter, route));
        route += CHANGED_ROUTES;
    }
    exporter
}

/// Counts and measures a request of this route.
fn request(exporter: &Exporter, route: usize) {
    let metrics = exporter.metrics();
    let route = format!("/growth/{route}");
    metrics.http_requests.with(&["GET", &route, "2xx"]).increment(1);
    for family in [&metrics.http_request_duration, &metrics.http_request_size, &metrics.http_response_size] {
        family.with(&["GET", &route]).record(0.01);
    }
}

fn count(exporter: &Exporter) -> usize {
    exporter.render().lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count()
}

/// CPU time of this thread.
fn cpu_nanos() -> Result<u64> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(stat.split(' ').next().ok_or("the kernel counts no CPU time")?.parse()?)
}
