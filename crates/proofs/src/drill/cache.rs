//! Redis and its cache: ineffective, slow, down.

use serde_json::Value;

use super::bench::shoot;
use super::traffic::Traffic;
use super::{Drill, ends};

/// Cache entries disappear faster than they are read.
pub const FORGETFUL: Drill = Drill {
    alerts: &["LowCacheHitRate"],
    cause: "a script empties Redis ten times per second",
    mitigation: "the script is stopped",
    inject: |bench| {
        let (url, bearer) = (format!("{}/api/auth/me", bench.stack.edge()?), format!("Bearer {}", bench.somebody()?));
        let askers = Traffic::start(8, 2, move |client, _| shoot(client, "GET", &url, &[("authorization", &bearer)], None::<&Value>));
        let script = bench.stack.redis(&["-r", "-1", "-i", "0.1", "FLUSHDB"])?;
        Ok(Box::new(move |_| {
            drop(script);
            drop(askers);
            Ok(())
        }))
    },
};

/// Redis responds slowly.
pub const SLOW: Drill = Drill {
    alerts: &["RedisSlow"],
    cause: "Redis is paused for 200 ms, again and again",
    mitigation: "the script that pauses Redis is stopped",
    inject: |bench| {
        let pauses = bench.stack.redis(&["-r", "-1", "-i", "0.3", "CLIENT", "PAUSE", "200", "ALL"])?;
        Ok(ends(pauses))
    },
};

/// Redis is down.
pub const DOWN: Drill = Drill {
    alerts: &["RedisDown", "CacheErrors", "RealtimeAdapterDisconnected"],
    cause: "Redis is killed",
    mitigation: "Redis is started",
    inject: |bench| {
        let url = format!("{}/api/showcase", bench.stack.edge()?);
        let visitors = Traffic::start(10, 2, move |client, _| shoot(client, "GET", &url, &[], None));
        bench.stack.kill_redis()?;
        Ok(Box::new(move |bench| {
            bench.stack.start_redis()?;
            drop(visitors);
            Ok(())
        }))
    },
};
