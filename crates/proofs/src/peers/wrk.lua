-- The script of wrk for `peers` and `growth`: prints the figures of a run as one line of JSON. For POST requests, load.rs appends a
-- function `request`, which uses `run` and `number`.
local run, number = "", 0

function init(arguments) run = arguments[1] or "" end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests":%d,"micros":%d,"bytes":%d,"p99_micros":%d,"refused":%d,"failed":%d}',
    summary.requests, summary.duration, summary.bytes, latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
