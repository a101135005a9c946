//! Drills of Redis: the cache is ineffective, Redis is slow, Redis is down.

use serde_json::Value;

use super::test_stack::send_and_forget;
use super::traffic::Traffic;
use super::{Drill, ends};

/// Cache entries disappear before they are read again.
pub const FORGETFUL: Drill = Drill {
    alerts: &["LowCacheHitRate"],
    cause: "a script empties Redis ten times per second",
    mitigation: "the script is stopped",
    inject: |test| {
        let (url, bearer) = (format!("{}/api/auth/me", test.stack.edge()?), format!("Bearer {}", test.new_account()?));
        let traffic =
            Traffic::start(8, 2, move |client, _| send_and_forget(client, "GET", &url, &[("authorization", &bearer)], None::<&Value>));
        let script = test.stack.redis(&["-r", "-1", "-i", "0.1", "FLUSHDB"])?;
        Ok(Box::new(move |_| {
            drop(script);
            drop(traffic);
            Ok(())
        }))
    },
};

/// Redis responds slowly.
pub const SLOW: Drill = Drill {
    alerts: &["RedisSlow"],
    cause: "Redis is paused for 200 ms, again and again",
    mitigation: "the script that pauses Redis is stopped",
    inject: |test| {
        let pauses = test.stack.redis(&["-r", "-1", "-i", "0.3", "CLIENT", "PAUSE", "200", "ALL"])?;
        Ok(ends(pauses))
    },
};

/// Redis is down.
pub const DOWN: Drill = Drill {
    alerts: &["RedisDown", "CacheErrors", "RealtimeAdapterDisconnected"],
    cause: "Redis is killed",
    mitigation: "Redis is started",
    inject: |test| {
        let url = format!("{}/api/showcase", test.stack.edge()?);
        let traffic = Traffic::start(10, 2, move |client, _| send_and_forget(client, "GET", &url, &[], None));
        test.stack.kill_redis()?;
        Ok(Box::new(move |test| {
            test.stack.start_redis()?;
            drop(traffic);
            Ok(())
        }))
    },
};
