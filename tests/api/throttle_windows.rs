//! The exact timing of limits: one table of cases, run in Redis and in memory, with a clock that the test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vitrine::cache::RedisClient;
use vitrine::cache::throttle::{Attempt, Bucket, Rate, Throttle};
use vitrine::metrics::Metrics;
use vitrine::metrics::exporter::Exporter;
use vitrine::metrics::labels::Limiter;

use crate::support::app::{configuration, through};
use crate::support::{Mode, Proxy, RECOVERY, Stores, when, within};

/// Long enough that no key expires in Redis while a slow machine runs a case.
const INTERVAL_MS: u64 = 1_000_000;
const LEASE_MS: u64 = 500_000;
/// An arbitrary time.
const START_US: u64 = 1_700_000_000_000_000;
const BUSY_MS: u64 = 1_000;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Counts one event immediately.
    Take,
    /// An attempt begins.
    Begin,
    /// The oldest running attempt fails.
    Fail,
    /// The oldest running attempt succeeds.
    End,
}
use Step::{Begin, End, Fail, Take};

/// No waiting time: admitted.
const YES: u64 = 0;

struct Case {
    name: &'static str,
    burst: u32,
    at_once: Option<u32>,
    is_counted: bool,
    /// Milliseconds since the start, the step, how many times it happens, and the wait in milliseconds that each call returns.
    steps: &'static [(u64, Step, usize, u64)],
}

const CASES: &[Case] = &[
    Case {
        name: "an event counts until it has leaked, and not a millisecond longer",
        burst: 3,
        at_once: None,
        is_counted: true,
        steps: &[
            (0, Take, 3, YES),
            (0, Take, 1, INTERVAL_MS),
            (INTERVAL_MS - 1, Take, 1, 1),
            (INTERVAL_MS, Take, 1, YES),
            (INTERVAL_MS, Take, 1, INTERVAL_MS),
            (3 * INTERVAL_MS - 1, Take, 1, YES),
            (3 * INTERVAL_MS - 1, Take, 1, 1),
            (3 * INTERVAL_MS, Take, 1, YES),
        ],
    },
    Case {
        name: "a drained bucket accepts no more than a new one",
        burst: 3,
        at_once: None,
        is_counted: true,
        steps: &[(0, Take, 3, YES), (100 * INTERVAL_MS, Take, 3, YES), (100 * INTERVAL_MS, Take, 1, INTERVAL_MS)],
    },
    Case {
        name: "refused events do not count",
        burst: 2,
        at_once: None,
        is_counted: true,
        steps: &[
            (0, Take, 2, YES),
            (0, Take, 50, INTERVAL_MS),
            (0, Begin, 50, INTERVAL_MS),
            (INTERVAL_MS, Take, 1, YES),
            (2 * INTERVAL_MS, Begin, 1, YES),
        ],
    },
    Case {
        name: "failures count from the moment of the failure",
        burst: 2,
        at_once: None,
        is_counted: true,
        steps: &[
            (0, Begin, 1, YES),
            (10, Fail, 1, YES),
            (10, Begin, 1, YES),
            (20, Fail, 1, YES),
            (20, Begin, 1, INTERVAL_MS - 10),
            (INTERVAL_MS + 9, Begin, 1, 1),
            (INTERVAL_MS + 10, Begin, 1, YES),
        ],
    },
    Case {
        name: "successes do not count",
        burst: 1,
        at_once: None,
        is_counted: true,
        steps: &[(0, Begin, 1, YES), (0, End, 1, YES), (0, Begin, 1, YES), (0, End, 1, YES), (0, Begin, 1, YES)],
    },
    Case {
        name: "all running attempts may fail, so further ones wait, but only briefly",
        burst: 3,
        at_once: None,
        is_counted: true,
        steps: &[
            (0, Begin, 3, YES),
            (0, Begin, 5, BUSY_MS),
            (0, End, 1, YES),
            (0, Begin, 1, YES),
            (0, Fail, 1, YES),
            (0, Begin, 1, BUSY_MS),
            (0, Fail, 2, YES),
            (0, Begin, 1, INTERVAL_MS),
        ],
    },
    Case {
        name: "running attempts have a limit of their own",
        burst: 10,
        at_once: Some(2),
        is_counted: true,
        steps: &[(0, Begin, 2, YES), (0, Begin, 1, BUSY_MS), (0, Fail, 1, YES), (0, Begin, 1, YES), (0, Begin, 1, BUSY_MS)],
    },
    Case {
        name: "running attempts are limited even where failures do not count",
        burst: 1,
        at_once: Some(2),
        is_counted: false,
        steps: &[(0, Begin, 2, YES), (0, Begin, 1, BUSY_MS), (0, Fail, 2, YES), (0, Begin, 2, YES), (0, Begin, 1, BUSY_MS)],
    },
    Case {
        name: "a permit that is never released is free when its lease expires",
        burst: 2,
        at_once: None,
        is_counted: true,
        steps: &[
            (0, Begin, 1, YES),
            (1, Begin, 1, YES),
            (LEASE_MS - 1, Begin, 1, BUSY_MS),
            (LEASE_MS, Begin, 1, YES),
            (LEASE_MS, Begin, 1, BUSY_MS),
            (LEASE_MS + 1, Begin, 1, YES),
        ],
    },
    Case {
        name: "an attempt that fails after its lease has expired still counts, and no bucket overflows",
        burst: 1,
        at_once: None,
        is_counted: true,
        steps: &[
            (0, Begin, 1, YES),
            (LEASE_MS, Begin, 1, YES),
            (LEASE_MS, Fail, 1, YES),
            (LEASE_MS, Begin, 1, INTERVAL_MS),
            (LEASE_MS, Fail, 1, YES),
            (LEASE_MS, Begin, 1, INTERVAL_MS),
            (LEASE_MS + INTERVAL_MS, Begin, 1, YES),
        ],
    },
];

struct Fixture {
    throttle: Throttle,
    now: Arc<AtomicU64>,
}

impl Fixture {
    fn new(redis: &RedisClient, prefix: &str, metrics: &Metrics) -> Self {
        let now = Arc::new(AtomicU64::new(START_US));
        let throttle = Throttle::at(redis.clone(), prefix, Duration::from_millis(LEASE_MS), now.clone(), metrics.clone());
        Self { throttle, now }
    }

    fn set(&self, milliseconds: u64) {
        self.now.store(START_US + milliseconds * 1_000, Ordering::Relaxed);
    }

    async fn run(&self, store: &str, case: &Case) {
        let rate = Rate { burst: case.burst, interval: Duration::from_millis(INTERVAL_MS) };
        let bucket = Bucket::new(Limiter::LoginAccount, &[case.name], rate).at_once(case.at_once.unwrap_or(u32::MAX));
        let bucket = if case.is_counted { bucket } else { bucket.uncounted() };
        let mut under_way = std::collections::VecDeque::<Attempt>::new();
        for (number, (at, step, times, wait)) in case.steps.iter().enumerate() {
            self.set(*at);
            for time in 0..*times {
                let throttled = match step {
                    Take => self.throttle.take(bucket.clone()).await.err(),
                    Begin => self.throttle.begin(vec![bucket.clone()]).await.map(|attempt| under_way.push_back(attempt)).err(),
                    Fail => {
                        under_way.pop_front().expect("no attempt is running").fail().await;
                        None
                    }
                    End => {
                        under_way.pop_front().expect("no attempt is running").end().await;
                        None
                    }
                };
                let retry_after = throttled.map_or(Duration::ZERO, |throttled| throttled.retry_after);
                assert_eq!(
                    retry_after,
                    Duration::from_millis(*wait),
                    "{}, in {store}: step {number} ({step:?} at {at} ms), call {time}",
                    case.name
                );
            }
        }
        for attempt in under_way {
            attempt.end().await;
        }
    }
}

async fn links(stores: &Stores) -> ([(&'static str, RedisClient); 2], Metrics) {
    let config = configuration(stores, &["--redis-timeout=10s"]);
    let metrics = Exporter::default().metrics();
    let connected = RedisClient::new(&config, metrics.clone()).unwrap();
    connected.connect().await;
    assert!(connected.is_connected());
    // This client never connects, so its throttle counts in memory.
    let unconnected = RedisClient::new(&config, metrics.clone()).unwrap();
    ([("Redis", connected), ("memory", unconnected)], metrics)
}

#[tokio::test]
async fn limits_are_exact_to_the_millisecond_in_redis_and_in_memory() {
    let stores = Stores::new().await;
    let (links, metrics) = links(&stores).await;
    for (store, redis) in &links {
        for case in CASES {
            Fixture::new(redis, stores.prefix(), &metrics).run(store, case).await;
        }
    }
}

#[tokio::test]
async fn an_attempt_that_one_bucket_refuses_is_not_counted_in_the_others() {
    let stores = Stores::new().await;
    let (links, metrics) = links(&stores).await;
    for (store, redis) in &links {
        let throttle = Fixture::new(redis, stores.prefix(), &metrics).throttle;
        let of =
            |name: &str, burst| Bucket::new(Limiter::LoginNetwork, &[name], Rate { burst, interval: Duration::from_millis(INTERVAL_MS) });
        throttle.begin(vec![of("one", 5), of("two", 1)]).await.unwrap().fail().await;
        for _ in 0..20 {
            assert!(throttle.begin(vec![of("one", 5), of("two", 1)]).await.is_err(), "{store}");
        }
        // Bucket `one` contains one failure, so it still admits four attempts at once.
        let mut attempts = Vec::new();
        for _ in 0..4 {
            attempts.push(throttle.begin(vec![of("one", 5)]).await.unwrap());
        }
        assert!(throttle.begin(vec![of("one", 5)]).await.is_err(), "{store}");
    }
}

/// A throttle whose Redis is behind a proxy, and which waits long enough for a reply that the proxy holds back.
async fn behind_a_proxy(stores: &Stores) -> (Proxy, Throttle) {
    let proxy = Proxy::before(&stores.redis_url(), Mode::Pass).await;
    let url = through("redis-url", &stores.redis_url(), proxy.address);
    let metrics = Exporter::default().metrics();
    let redis = RedisClient::new(&configuration(stores, &[&url, "--redis-timeout=10s"]), metrics.clone()).unwrap();
    redis.connect().await;
    (proxy, Fixture::new(&redis, stores.prefix(), &metrics).throttle)
}

#[tokio::test]
async fn a_caller_that_disconnects_before_redis_responds_holds_no_permit() {
    let stores = Stores::new().await;
    let (proxy, throttle) = behind_a_proxy(&stores).await;
    let bucket = Bucket::new(Limiter::LoginNetwork, &["one"], Rate { burst: 5, interval: Duration::from_millis(INTERVAL_MS) }).at_once(1);

    // Holds back the reply of Redis that admits the attempt: two zeros.
    proxy.set(Mode::HoldAnswersWith(b"*2\r\n:0\r\n:0".to_vec())).await;
    tokio::select! {
        _ = throttle.begin(vec![bucket.clone()]) => panic!("the response must be held back"),
        () = proxy.until_holding() => {}
    }
    proxy.set(Mode::Pass).await;
    within(RECOVERY, "the permit is free", async || when(throttle.begin(vec![bucket.clone()]).await.is_ok())).await;
}

#[tokio::test]
async fn a_failure_whose_caller_disconnects_is_counted_once() {
    let stores = Stores::new().await;
    let (proxy, throttle) = behind_a_proxy(&stores).await;
    let buckets = || vec![Bucket::new(Limiter::LoginNetwork, &["one"], Rate { burst: 2, interval: Duration::from_millis(INTERVAL_MS) })];
    let attempt = throttle.begin(buckets()).await.unwrap();

    // Holds back the reply of Redis that has counted the failure: a zero.
    proxy.set(Mode::HoldAnswersWith(b":0".to_vec())).await;
    tokio::select! {
        () = attempt.fail() => panic!("the response must be held back"),
        () = proxy.until_holding() => {}
    }
    proxy.set(Mode::Pass).await;
    within(RECOVERY, "a second attempt is admitted", async || throttle.begin(buckets()).await.ok()).await.fail().await;
    assert!(throttle.begin(buckets()).await.is_err(), "two failures are counted");
}

#[tokio::test]
async fn different_parts_with_the_same_concatenation_are_different_buckets() {
    let stores = Stores::new().await;
    let (links, metrics) = links(&stores).await;
    for (store, redis) in &links {
        let throttle = Fixture::new(redis, stores.prefix(), &metrics).throttle;
        let of =
            |parts: &[&str]| Bucket::new(Limiter::LoginAccount, parts, Rate { burst: 1, interval: Duration::from_millis(INTERVAL_MS) });
        throttle.take(of(&["ab", "c"])).await.unwrap();
        assert!(throttle.take(of(&["ab", "c"])).await.is_err(), "{store}");
        throttle.take(of(&["a", "bc"])).await.unwrap();
        throttle.take(of(&["abc"])).await.unwrap();
    }
}
