"""Properties of valid requests that the OpenAPI description cannot express: unique idempotency keys, and passwords that are not common."""

import itertools
import pathlib

import schemathesis

COMMON_PASSWORDS = frozenset(
    (pathlib.Path(__file__).parents[2] / "src/features/accounts/common_passwords.txt").read_text().lower().split()
)
KEY = "Idempotency-Key"
numbers = itertools.count(1)


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    key = (case.headers or {}).get(KEY)
    if isinstance(key, str) and key:
        # A number replaces the first characters of the key. The key keeps its length, unless the number is longer than the key.
        number = f"{next(numbers):08x}"
        quote = '"' if key.startswith('"') else ""
        case.headers[KEY] = quote + number + (key[len(quote) + len(number):] or quote)
    if isinstance(case.body, dict) and str(case.body.get("password", "")).lower() in COMMON_PASSWORDS:
        case.body["password"] = "an uncommon password"
