//! Times as people read them: three digits and a unit.

use std::time::Duration;

/// A duration such as `1.24 s`, `12.3 ms` or `450 µs`.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let (number, unit) = match seconds {
        s if s >= 0.999_5 => (s, "s"),
        s if s >= 0.000_999_5 => (s * 1e3, "ms"),
        s => (s * 1e6, "µs"),
    };
    let decimals = match number {
        n if n >= 99.95 || unit == "µs" => 0,
        n if n >= 9.995 => 1,
        _ => 2,
    };
    format!("{number:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_three_digits_and_a_unit() {
        let texts =
            [0, 450_000, 999_600, 12_345_678, 999_600_000, 1_244_000_000, 75_000_000_000].map(|ns| duration_text(Duration::from_nanos(ns)));
        assert_eq!(texts, ["0 µs", "450 µs", "1.00 ms", "12.3 ms", "1.00 s", "1.24 s", "75.0 s"]);
    }
}
