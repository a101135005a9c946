//! The arithmetic of `bucket` in Redis: one script admits an attempt in all of its buckets or in none, another ends it.
//!
//! A bucket is two keys: the time at which it will be empty, and a sorted set of the attempts in progress, by lease expiry.
//! Both keys expire. Times are whole microseconds; the numbers of Lua (doubles) represent them exactly.

use std::time::Duration;

use redis::Cmd;
use uuid::Uuid;

use super::bucket::{Bucket, Refusal, micros};

/// The prelude of both scripts.
const SHARED: &str = r"
local time = redis.call('TIME')
local now = tonumber(ARGV[1])
if now == 0 then now = time[1] * 1000000 + time[2] end
local function level(i) return math.max(0, tonumber(redis.call('GET', KEYS[2 * i - 1]) or 0) - now) end
local function count(i, interval, capacity)
  if interval == 0 then return end
  local full = math.min(level(i) + interval, capacity)
  redis.call('SET', KEYS[2 * i - 1], string.format('%.0f', now + full), 'PX', math.ceil(full / 1000))
end
";

/// ARGV: the time, or 0 to use the clock of Redis; the attempt's identifier, or an empty text to count immediately; the attempt's lease.
/// Then for each bucket its interval, capacity and concurrency limit.
///
/// Returns `{0, 0}` when it admits the attempt. Otherwise returns the number of the refusing bucket and the time until the bucket has room.
/// The time is -1 when the bucket has room now, but attempts in progress are too many or may fill it.
const ADMIT: &str = r"
local id, lease = ARGV[2], tonumber(ARGV[3])
for i = 1, #KEYS / 2 do
  local interval, capacity, at_once = tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2]), tonumber(ARGV[3 * i + 3])
  local level = level(i)
  if interval > 0 and level + interval > capacity then return {i, level + interval - capacity} end
  redis.call('ZREMRANGEBYSCORE', KEYS[2 * i], '-inf', string.format('%.0f', now))
  local under_way = redis.call('ZCARD', KEYS[2 * i])
  if under_way >= at_once or (interval > 0 and level + (under_way + 1) * interval > capacity) then return {i, -1} end
end
for i = 1, #KEYS / 2 do
  if id == '' then
    count(i, tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2]))
  else
    redis.call('ZADD', KEYS[2 * i], string.format('%.0f', now + lease), id)
    redis.call('PEXPIRE', KEYS[2 * i], math.ceil(lease / 1000))
  end
end
return {0, 0}
";

/// ARGV: the time, or 0 to use the clock of Redis; the attempt's identifier; 1 if the attempt failed, else 0. Then for each bucket its
/// interval and capacity.
const SETTLE: &str = r"
for i = 1, #KEYS / 2 do
  redis.call('ZREM', KEYS[2 * i], ARGV[2])
  if ARGV[3] == '1' then count(i, tonumber(ARGV[2 * i + 2]), tonumber(ARGV[2 * i + 3])) end
end
return 0
";

/// The reply of `ADMIT`: the number of the refusing bucket, from 1 (0 when admitted), and the microseconds to wait (-1 when busy).
pub type Reply = (usize, i64);

/// The command that reserves slots for an attempt. If `attempt` is `None`, the command counts immediately and reserves nothing.
pub fn admit(prefix: &str, buckets: &[Bucket], now: u64, attempt: Option<(Uuid, Duration)>) -> Cmd {
    let mut command = script(ADMIT, prefix, buckets);
    let (id, lease) = attempt.map_or_else(Default::default, |(id, lease)| (id.to_string(), micros(lease)));
    command.arg(now).arg(id).arg(lease);
    for Bucket { interval, capacity, at_once, .. } in buckets {
        command.arg(interval).arg(capacity).arg(at_once);
    }
    command
}

/// The command that ends an attempt.
pub fn settle(prefix: &str, buckets: &[Bucket], now: u64, id: Uuid, has_failed: bool) -> Cmd {
    let mut command = script(SETTLE, prefix, buckets);
    command.arg(now).arg(id.to_string()).arg(u8::from(has_failed));
    for Bucket { interval, capacity, .. } in buckets {
        command.arg(interval).arg(capacity);
    }
    command
}

/// Interprets the reply to [`admit`].
pub fn read((number, wait): Reply) -> Result<(), Refusal> {
    let Some(bucket) = number.checked_sub(1) else { return Ok(()) };
    Err(u64::try_from(wait).map_or(Refusal::Busy, |wait| Refusal::Full { bucket, wait: Duration::from_micros(wait) }))
}

fn script(text: &str, prefix: &str, buckets: &[Bucket]) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(format!("{SHARED}{text}")).arg(2 * buckets.len());
    for bucket in buckets {
        let key = bucket.key(prefix);
        command.arg(&key).arg(format!("{key}:under_way"));
    }
    command
}
